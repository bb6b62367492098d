"""A release: Hive-partitioned Parquet, a text of a language once."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.document import CorpusError
from ccnet.duplicates import DEFAULT_MEMORY_BYTES, first_copies
from ccnet.hashing import Hashes
from ccnet.near_duplicates import NearDuplicates
from ccnet.shards import COMPRESSION, ROW_GROUP_DOCUMENTS, read_batches

PENDING_BYTES = 256 << 20  # rows wait for a row group of sensible size no longer than this


class PartWriters:
    """Parquet files of documents, each where `place` says for the values of the columns `by`.

    A part whose folder says the bucket (Hive's bucket=…) does not repeat it as a column.
    """

    def __init__(self, place: Callable[..., Path], by: Sequence[str] = ("language", "bucket")) -> None:
        self._place = place
        self._by = by
        self._writers: dict[Path, pq.ParquetWriter] = {}
        self._pending: dict[Path, list[pa.Table]] = {}
        self._waiting: Counter[Path] = Counter()  # bytes of text
        self.documents = 0

    def __enter__(self) -> PartWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for path in sorted(self._pending):
                self._flush(path)
        for writer in self._writers.values():
            writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([batch])
        keys = zip(*(batch.column(name).to_pylist() for name in self._by), strict=True)
        sizes = pc.binary_length(table.column("text")).to_pylist()
        chosen: dict[Path, list[int]] = {}
        for row, key in enumerate(keys):
            path = self._place(*key)
            chosen.setdefault(path, []).append(row)
            self._waiting[path] += sizes[row]
        for path in sorted(chosen):
            self._pending.setdefault(path, []).append(table.take(chosen[path]))
            if sum(part.num_rows for part in self._pending[path]) >= ROW_GROUP_DOCUMENTS:
                self._flush(path)
        self.documents += batch.num_rows
        while self._waiting.total() > PENDING_BYTES:
            self._flush(max(self._waiting, key=self._waiting.__getitem__))

    def _flush(self, path: Path) -> None:
        table = pa.concat_tables(self._pending.pop(path))
        del self._waiting[path]
        if path.parent.name.startswith("bucket="):
            table = table.drop_columns(["bucket"])
        if path not in self._writers:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[path] = pq.ParquetWriter(path, table.schema, **COMPRESSION)
        self._writers[path].write_table(table)


def regroup(
    shards: Sequence[Path],
    folder: Path,
    *,
    near_duplicates: float = 0.0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Counter[str]:
    """Gather scored shards into lang=…/bucket=…/part-00000.parquet, in the order of the shards (CCNet's regroup).

    A text that the same language already has from an earlier shard is dropped: dumps overlap.  (Ours: the paper
    does not say what became of pages that several of its dumps hold.)  Texts are read twice and told apart by 64 bits
    of BLAKE2 that lie on disk, so memory is `memory_bytes` and a byte a document.  `near_duplicates`: the Jaccard
    similarity from which a document that is almost an earlier one of its language is dropped as well (1.5 KB of memory
    a document); 0: none is.
    """
    counts: Counter[str] = Counter(documents_in=0, documents_kept=0)
    with tempfile.TemporaryFile() as file:
        fresh = first_copies(_marks(shards, file), memory_bytes)
    known = NearDuplicates(near_duplicates) if near_duplicates else None
    with PartWriters(
        lambda language, bucket: folder / f"lang={language}" / f"bucket={bucket}" / "part-00000.parquet"
    ) as writers:
        for batch in (batch for shard in shards for batch in read_batches(shard)):
            stays, fresh = fresh[: batch.num_rows], fresh[batch.num_rows :]
            kept = batch.filter(pa.array(stays))
            counts["documents_in"] += batch.num_rows
            counts["dropped_text_seen_before"] += batch.num_rows - kept.num_rows
            if known is not None:
                kept = _unlike_all_before(kept, known, counts)
            counts["documents_kept"] += kept.num_rows
            writers.write(kept)
    return counts


def _marks(shards: Sequence[Path], file: BinaryIO) -> Hashes:
    """64 bits of each document's language and text, in order, memory-mapped from the file."""
    for shard in shards:
        for batch in read_batches(shard, ["language", "text"]):
            rows = zip(batch.column("language").to_pylist(), batch.column("text").to_pylist(), strict=True)
            file.writelines(hashlib.blake2b(f"{lang}\n{text}".encode(), digest_size=8).digest() for lang, text in rows)
    file.flush()
    return np.memmap(file, "<u8", "r") if file.tell() else np.empty(0, "<u8")


def _unlike_all_before(batch: pa.RecordBatch, known: NearDuplicates, counts: Counter[str]) -> pa.RecordBatch:
    rows = zip(batch.column("language").to_pylist(), batch.column("text").to_pylist(), strict=True)
    stays = [known.earlier(text, language) is None for language, text in rows]
    counts["dropped_near_duplicate"] += len(stays) - sum(stays)
    return batch.filter(pa.array(stays, pa.bool_()))


def release_parts(folder: Path) -> list[Path]:
    """The Parquet files of a release, in a stable order.  Raises CorpusError where there is none."""
    parts = sorted(folder.glob("lang=*/**/*.parquet"))
    if not parts:
        raise CorpusError(f"{folder}: holds no lang=…/*.parquet: wanted the folder of a release")
    return parts


def language_of(part: Path) -> str:
    """Of a release's file: lang=LANG/bucket=BUCKET/part-00000.parquet, or lang=LANG/BUCKET-00000.parquet."""
    return next(name.removeprefix("lang=") for name in reversed(part.parts) if name.startswith("lang="))


def bucket_of(part: Path) -> str:
    """Of a release's file, in either layout."""
    folder = part.parent.name
    return folder.removeprefix("bucket=") if folder.startswith("bucket=") else part.name.partition("-")[0]
