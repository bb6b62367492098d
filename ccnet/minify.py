"""A release as metadata alone, and its text rebuilt from the crawl (CCNet's minify and reproduce).

A minified row keeps where a document lies (file, URL, digest), which of its lines stay, its scores and the SHA-256 of
its text, so that what is rebuilt is proved to be the same.  A page that gave several documents (one a language, say)
has a row for each.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.contacts import CONTACT_KINDS, ContactKind, mask_contacts
from ccnet.crawl import PermanentCrawlError, WrongFileError
from ccnet.document import CorpusError
from ccnet.extract import MAX_LOGGED, read_documents
from ccnet.release import PartWriters, bucket_of, release_parts
from ccnet.shards import BATCH_DOCUMENTS, COMPRESSION, SCORED

log = logging.getLogger(__name__)

LEFT_OUT = ("text", "title")
FINGERPRINT = "text_sha256"

# What a release may have masked, the likeliest first.  Its rows do not say it: a text that fits its SHA-256 does.
MASKED: tuple[tuple[ContactKind, ...], ...] = tuple(
    kinds for size in (0, 2, 4, 3, 1) for kinds in combinations(CONTACT_KINDS, size)
)

Fetch = Callable[[str], Path]  # a crawl's path -> the file here
Row = dict[str, Any]


def minify_release(release: Path, target: Path) -> Counter[str]:
    """Write the release's layout without its text.  `target` appears when it is whole.  Raises CorpusError."""
    counts: Counter[str] = Counter()
    with _aside(target) as aside:
        for part in release_parts(release):
            place = aside / part.relative_to(release)
            place.parent.mkdir(parents=True, exist_ok=True)
            with open_part(part) as file:
                _minify_part(file, place, counts)
            counts["bytes_written"] += place.stat().st_size
    return counts


def open_part(part: Path, *, minified: bool = False) -> pq.ParquetFile:
    """A release's file.  Raises CorpusError where it is no Parquet, or has no text although it should."""
    try:
        file = pq.ParquetFile(part)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(f"{part}: {error}: wanted a Parquet file of a release") from error
    wanted = FINGERPRINT if minified else "text"
    if wanted not in file.schema_arrow.names:
        kind = "a minified release" if minified else "a release with its text: rebuild it with `xlmr reproduce`"
        raise CorpusError(f"{part}: has no column {wanted}: wanted {kind}")
    return file


def _minify_part(file: pq.ParquetFile, place: Path, counts: Counter[str]) -> None:
    names = [name for name in file.schema_arrow.names if name not in LEFT_OUT]
    schema = pa.schema([*(file.schema_arrow.field(name) for name in names), (FINGERPRINT, pa.string())])
    with pq.ParquetWriter(place, schema, **COMPRESSION) as writer:
        for batch in file.iter_batches(BATCH_DOCUMENTS):
            marks = [_mark(text) for text in batch.column("text").to_pylist()]
            columns = [batch.column(name) for name in names]
            writer.write_batch(pa.RecordBatch.from_arrays([*columns, pa.array(marks, pa.string())], schema=schema))
            counts["documents"] += batch.num_rows
            counts["text_bytes"] += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0


def reproduce_release(minified: Path, fetch: Fetch, target: Path) -> Counter[str]:
    """Rebuild the text from the crawl's files, each read once, and write OUTPUT/lang=LANG/BUCKET-NNNNN.parquet.

    A document that the crawl no longer gives, or whose text differs, is left out and counted; so are all documents of
    a file for which `fetch` raises PermanentCrawlError.  Raises CorpusError where none is left.
    """
    rows, schema = _rows_by_file(minified)
    counts: Counter[str] = Counter()
    masked = list(MASKED)
    with _aside(target) as aside:
        with PartWriters(lambda language, bucket: aside / f"lang={language}" / f"{bucket}-00000.parquet") as writers:
            for path in sorted(rows):
                if (place := _fetched(path, fetch, len(rows[path]), counts)) is None:
                    continue
                found = _rebuild(path, place, rows[path], masked, counts)
                for start in range(0, len(found), BATCH_DOCUMENTS):
                    writers.write(pa.RecordBatch.from_pylist(found[start : start + BATCH_DOCUMENTS], schema=schema))
        if not writers.documents:
            lost = {
                name.removeprefix("dropped_").replace("_", " "): n for name, n in counts.items() if "dropped" in name
            }
            why = ", ".join(f"{reason} {count}" for reason, count in sorted(lost.items()) if count)
            raise CorpusError(
                f"none of the {counts['documents_in']} documents could be rebuilt ({why}): is it the right crawl?"
            )
    return counts


def _fetched(path: str, fetch: Fetch, documents: int, counts: Counter[str]) -> Path | None:
    """The file here; None where the crawl has no such file, or none that can be read, and its documents are counted."""
    try:
        return fetch(path)
    except PermanentCrawlError as error:
        reason = "file_broken" if isinstance(error, WrongFileError) else "file_missing"
        counts["files_lost"] += 1
        if counts["files_lost"] <= MAX_LOGGED:
            log.warning("%s: %d documents dropped: %s", path, documents, error)
        counts["documents_in"] += documents
        counts[f"dropped_{reason}"] += documents
    return None


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A new folder beside the target, whatever a killed run left there; it takes the target's name when the block
    ends well."""
    aside = target.with_name(f".{target.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise CorpusError(f"{target}: {error.strerror}: wanted a folder that can be made there") from error
    try:
        yield aside
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _rows_by_file(minified: Path) -> tuple[dict[str, list[Row]], pa.Schema]:
    """Rows by crawl file, and what is written of them: CCNet's columns, then those that filters added."""
    rows: dict[str, list[Row]] = {}
    schema = SCORED
    for part in release_parts(minified):
        bucket = bucket_of(part)
        with open_part(part, minified=True) as file:
            more = [field for field in file.schema_arrow if field.name not in (*schema.names, FINGERPRINT)]
            schema = pa.schema([*schema, *more])
            table = file.read().to_pylist()
        for row in table:
            row.setdefault("bucket", bucket)
            rows.setdefault(row["cc_segment"], []).append(row)
    return rows, schema


def _rebuild(
    segment: str, path: Path, wanted: Sequence[Row], masked: list[tuple[ContactKind, ...]], counts: Counter[str]
) -> list[Row]:
    """The rows of one crawl file with their text, in the order of the crawl and of the release."""
    missing: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in wanted:
        missing[row["url"], row["digest"]].append(row)
    found: list[Row] = []
    seen: set[tuple[str, str]] = set()
    for url, digest, title, text in _documents(segment, path):
        if not (rows := missing.get((url, digest))):
            continue
        seen.add((url, digest))
        lines = text.split("\n")
        texts = [_text_of(row, lines, masked) for row in rows]
        found += [
            row | {"title": title, "text": text} for row, text in zip(rows, texts, strict=True) if text is not None
        ]
        missing[url, digest] = [row for row, text in zip(rows, texts, strict=True) if text is None]
    for row in found:
        del row[FINGERPRINT]
    counts["documents_in"] += len(wanted)
    counts["documents_kept"] += len(found)
    differs = sum(len(missing[key]) for key in seen)
    counts["dropped_text_differs"] += differs
    counts["dropped_not_in_crawl"] += len(wanted) - len(found) - differs
    return found


def _text_of(row: Row, lines: Sequence[str], masked: list[tuple[ContactKind, ...]]) -> str | None:
    """The row's lines, with those contacts masked that the release has masked; None where they are not its text.

    `masked`: choices of kinds to try, in order; one that fits becomes the second, after no mask at all.
    """
    text = "\n".join(lines[at] for at in row["line_ids"] if at < len(lines))
    for at, kinds in enumerate(masked):
        found = mask_contacts(text, Counter(), kinds, row["language"])
        if _mark(found) == row[FINGERPRINT]:
            if at > 1:
                masked.insert(1, masked.pop(at))
            return found
    return None


def _documents(segment: str, path: Path) -> Iterator[tuple[str, str, str, str]]:
    for document in read_documents([(segment, path)], Counter(), min_characters=1):
        yield document.url, document.digest, document.title, document.text


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
