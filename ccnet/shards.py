"""Documents on disk: Parquet with one schema, to which stages append columns.

Columns stand in the order in which stages add them: extract writes the first, deduplicate changes text and lines,
identify adds the language, filter_perplexity the score, the bucket and the dump.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ccnet.document import Document

EXTRACTED = pa.schema(
    [
        ("url", pa.string()),
        ("date", pa.string()),
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
SCORED = pa.schema([*IDENTIFIED, ("perplexity", pa.float64()), ("bucket", pa.string()), ("crawl", pa.string())])

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
        for batch in batches_of(documents):
            writer.write_batch(batch)


def batches_of(documents: Iterable[Document]) -> Iterator[pa.RecordBatch]:
    """Documents as columns, a bounded number at a time."""
    rest = iter(documents)
    while batch := list(islice(rest, BATCH_DOCUMENTS)):
        yield _record_batch(batch)


def _record_batch(batch: Sequence[Document]) -> pa.RecordBatch:
    columns: dict[str, object] = {name: [getattr(document, name) for document in batch] for name in EXTRACTED.names[:8]}
    columns["length"] = [len(document.text) for document in batch]
    columns["nlines"] = columns["original_nlines"]
    columns["line_ids"] = _all_lines([document.original_nlines for document in batch])
    return pa.RecordBatch.from_pydict(columns, schema=EXTRACTED)


def _all_lines(counts: Sequence[int]) -> pa.ListArray:
    """[[0, 1, …], [0, …], …]"""
    ends = np.cumsum([0, *counts])
    ids = np.arange(ends[-1]) - np.repeat(ends[:-1], counts)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(ids, pa.int32()))


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The file's documents in order, a bounded number at a time."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BATCH_DOCUMENTS, columns=columns)


def iterate_text(files: Iterable[Path]) -> Iterator[str]:
    """The texts of published files, in order."""
    for path in files:
        for batch in read_batches(path, ["text"]):
            yield from batch.column("text").to_pylist()
