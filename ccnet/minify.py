"""A release as metadata alone, and its text rebuilt from the crawl (CCNet's minify and reproduce).

A minified row keeps where a document lies (file, URL, digest), which of its lines stay, its scores and the SHA-256 of
its text, so that what is rebuilt is proved to be the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.document import CorpusError
from ccnet.extract import read_documents
from ccnet.release import PartWriters, bucket_of, release_parts
from ccnet.shards import BATCH_DOCUMENTS, COMPRESSION, SCORED

LEFT_OUT = ("text", "title")
FINGERPRINT = "text_sha256"

Fetch = Callable[[str], Path]  # a crawl's path -> the file here


def minify_release(release: Path, target: Path) -> Counter[str]:
    """Write the release's layout without its text.  `target` appears when it is whole.  Raises CorpusError."""
    counts: Counter[str] = Counter()
    aside = target.with_name(f".{target.name}.part")
    for part in release_parts(release):
        place = aside / part.relative_to(release)
        place.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetFile(part) as file:
            names = [name for name in file.schema_arrow.names if name not in LEFT_OUT]
            schema = pa.schema([*(file.schema_arrow.field(name) for name in names), (FINGERPRINT, pa.string())])
            with pq.ParquetWriter(place, schema, **COMPRESSION) as writer:
                for batch in file.iter_batches(BATCH_DOCUMENTS):
                    marks = [_mark(text) for text in batch.column("text").to_pylist()]
                    columns = [batch.column(name) for name in names]
                    writer.write_batch(pa.RecordBatch.from_arrays([*columns, pa.array(marks)], schema=schema))
                    counts["documents"] += batch.num_rows
                    counts["text_bytes"] += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
        counts["bytes_written"] += place.stat().st_size
    aside.rename(target)
    return counts


def reproduce_release(minified: Path, fetch: Fetch, target: Path) -> Counter[str]:
    """Rebuild the text from the crawl's files, each read once, and write OUTPUT/lang=LANG/BUCKET-NNNNN.parquet.

    A document that the crawl no longer gives, or whose text differs, is left out and counted.  Raises CorpusError.
    """
    rows = _rows_by_file(minified)
    counts: Counter[str] = Counter()
    aside = target.with_name(f".{target.name}.part")
    with PartWriters(lambda language, bucket: aside / f"lang={language}" / f"{bucket}-00000.parquet") as writers:
        for path in sorted(rows):
            found = _rebuild(path, fetch(path), rows[path], counts)
            for start in range(0, len(found), BATCH_DOCUMENTS):
                writers.write(pa.RecordBatch.from_pylist(found[start : start + BATCH_DOCUMENTS], schema=SCORED))
    if not writers.documents:
        raise CorpusError(f"none of the {counts['documents_in']} documents could be rebuilt: is it the right crawl?")
    aside.rename(target)
    return counts


def _rows_by_file(minified: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in release_parts(minified):
        table = pq.ParquetFile(part).read().to_pylist()
        bucket = bucket_of(part)
        for row in table:
            row.setdefault("bucket", bucket)
            if FINGERPRINT not in row:
                raise CorpusError(f"{part}: has no column {FINGERPRINT}: wanted a minified release")
            rows.setdefault(row["cc_segment"], []).append(row)
    return rows


def _rebuild(segment: str, path: Path, wanted: Sequence[dict[str, Any]], counts: Counter[str]) -> list[dict[str, Any]]:
    """The rows of one crawl file with their text, in the order of the crawl."""
    by_key = {(row["url"], row["digest"]): row for row in wanted}
    counts["documents_in"] += len(wanted)
    found = []
    for url, digest, title, text in _documents(segment, path):
        row = by_key.pop((url, digest), None)
        if row is None:
            continue
        lines = text.split("\n")
        kept = "\n".join(lines[at] for at in row["line_ids"] if at < len(lines))
        if _mark(kept) != row[FINGERPRINT]:
            counts["dropped_text_differs"] += 1
            continue
        found.append({name: row.get(name) for name in SCORED.names} | {"title": title, "text": kept})
    counts["documents_kept"] += len(found)
    counts["dropped_not_in_crawl"] += len(by_key)
    return found


def _documents(segment: str, path: Path) -> Iterator[tuple[str, str, str, str]]:
    for document in read_documents([(segment, path)], Counter(), min_characters=1):
        yield document.url, document.digest, document.title, document.text


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
