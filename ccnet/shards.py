"""Documents on disk: Parquet with one schema that grows to the right, and the published Hive layout.

Column order is the data's walk: extract writes the first, deduplicate changes text and lines, identify adds the
language, filter_perplexity the score and bucket.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ccnet.document import CorpusError, Document

EXTRACTED = pa.schema(
    [
        ("url", pa.string()),
        ("date_download", pa.string()),
        ("digest", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("cc_segment", pa.string()),
        ("original_length", pa.int64()),
        ("original_nlines", pa.int32()),
        ("length", pa.int32()),
        ("nlines", pa.int32()),
        ("line_ids", pa.list_(pa.int32())),
    ]
)
IDENTIFIED = pa.schema([*EXTRACTED, ("language", pa.string()), ("language_score", pa.float64())])
SCORED = pa.schema([*IDENTIFIED, ("perplexity", pa.float64()), ("bucket", pa.string())])

BATCH_DOCUMENTS = 1024
ROW_GROUP_DOCUMENTS = 8192
COMPRESSION = {"compression": "zstd", "compression_level": 3}


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A Parquet file that appears under its name only when it is whole."""
    aside = path.with_name(f".{path.name}.part")
    with pq.ParquetWriter(aside, schema, **COMPRESSION) as writer:
        yield writer
    os.replace(aside, path)


def write_documents(documents: Iterable[Document], path: Path) -> None:
    """Write documents in their order; every line of the text is there yet."""
    with open_writer(path, EXTRACTED) as writer:
        batch: list[Document] = []
        for document in documents:
            batch.append(document)
            if len(batch) == BATCH_DOCUMENTS:
                writer.write_batch(_record_batch(batch))
                batch = []
        writer.write_batch(_record_batch(batch))


def _record_batch(batch: Sequence[Document]) -> pa.RecordBatch:
    columns = {
        name: [getattr(document, name) for document in batch]
        for name in (
            "url",
            "date_download",
            "digest",
            "title",
            "text",
            "cc_segment",
            "original_length",
            "original_nlines",
        )
    }
    columns["length"] = [len(document.text) for document in batch]
    columns["nlines"] = columns["original_nlines"]
    columns["line_ids"] = [range(document.original_nlines) for document in batch]
    return pa.RecordBatch.from_pydict(columns, schema=EXTRACTED)


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The file's documents in order, a bounded number at a time."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BATCH_DOCUMENTS, columns=columns)


def iterate_text(files: Iterable[Path]) -> Iterator[str]:
    """The texts of published files, in order."""
    for path in files:
        for batch in read_batches(path, ["text"]):
            yield from batch.column("text").to_pylist()


def publish(shards: Sequence[Path], folder: Path) -> Counter[str]:
    """Split scored shards into lang=…/bucket=…/part-00000.parquet, in the order of the shards.

    A text that the same language already has from an earlier shard is dropped: dumps overlap.  (Ours: the paper
    does not say what became of pages that several of its dumps hold.)
    """
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    writers: dict[tuple[str, str], pq.ParquetWriter] = {}
    try:
        for shard in shards:
            for batch in read_batches(shard):
                fresh = _fresh(batch, seen, counts)
                _write_parts(fresh, folder, writers)
    finally:
        for writer in writers.values():
            writer.close()
    if not writers:
        raise CorpusError(f"none of the {len(shards)} shards holds a document: nothing to publish")
    return counts


def _fresh(batch: pa.RecordBatch, seen: set[bytes], counts: Counter[str]) -> pa.RecordBatch:
    """The rows whose (language, text) is new; 16 bytes of memory a document."""
    keep = []
    for row, (language, text) in enumerate(
        zip(batch.column("language").to_pylist(), batch.column("text").to_pylist(), strict=False)
    ):
        mark = hashlib.blake2b(f"{language}\n{text}".encode(), digest_size=16).digest()
        if mark not in seen:
            seen.add(mark)
            keep.append(row)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += len(keep)
    counts["dropped_text_seen_before"] += batch.num_rows - len(keep)
    return batch.take(pa.array(keep, pa.int64()))


def _write_parts(batch: pa.RecordBatch, folder: Path, writers: dict[tuple[str, str], pq.ParquetWriter]) -> None:
    table = pa.Table.from_batches([batch])
    keys = list(zip(batch.column("language").to_pylist(), batch.column("bucket").to_pylist(), strict=False))
    schema = pa.schema([field for field in SCORED if field.name not in ("language", "bucket")])
    schema = schema.append(pa.field("language", pa.string())).append(pa.field("crawl", pa.string()))
    for key in sorted(set(keys)):
        rows = table.take([row for row, found in enumerate(keys) if found == key])
        crawls = [_crawl_of(segment) for segment in rows.column("cc_segment").to_pylist()]
        rows = rows.append_column("crawl", pa.array(crawls, pa.string())).select(schema.names)
        if key not in writers:
            part = folder / f"lang={key[0]}" / f"bucket={key[1]}" / "part-00000.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            writers[key] = pq.ParquetWriter(part, schema, **COMPRESSION)
        writers[key].write_table(rows, row_group_size=ROW_GROUP_DOCUMENTS)


def _crawl_of(segment: str) -> str:
    """CC-MAIN-2019-35 of crawl-data/CC-MAIN-2019-35/segments/…; "" of any other path."""
    parts = segment.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "crawl-data" else ""
