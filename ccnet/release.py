"""The published corpus: Hive-partitioned Parquet, a text of a language once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.document import CorpusError
from ccnet.near_duplicates import NearDuplicates
from ccnet.shards import COMPRESSION, ROW_GROUP_DOCUMENTS, read_batches

PENDING_BYTES = 256 << 20  # rows wait for a row group of sensible size no longer than this


class PartWriters:
    """Parquet files by language and bucket, each with the dump its documents come from in the column `crawl`.

    `place` says where a part lies; a part whose folder says the bucket (Hive's bucket=…) does not repeat it.
    """

    def __init__(self, place: Callable[[str, str], Path]) -> None:
        self._place = place
        self._writers: dict[tuple[str, str], pq.ParquetWriter] = {}
        self._pending: dict[tuple[str, str], list[pa.Table]] = {}
        self._waiting: Counter[tuple[str, str]] = Counter()  # bytes of text
        self.documents = 0

    def __enter__(self) -> PartWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for key in sorted(self._pending):
                self._flush(key)
        for writer in self._writers.values():
            writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take rows of the schema SCORED."""
        crawls = [_crawl_of(segment) for segment in batch.column("cc_segment").to_pylist()]
        table = pa.Table.from_batches([batch]).append_column("crawl", pa.array(crawls, pa.string()))
        keys = list(zip(batch.column("language").to_pylist(), batch.column("bucket").to_pylist(), strict=True))
        sizes = pc.binary_length(table.column("text")).to_pylist()
        chosen: dict[tuple[str, str], list[int]] = {}
        for row, key in enumerate(keys):
            chosen.setdefault(key, []).append(row)
            self._waiting[key] += sizes[row]
        for key in sorted(chosen):
            self._pending.setdefault(key, []).append(table.take(chosen[key]))
            if sum(part.num_rows for part in self._pending[key]) >= ROW_GROUP_DOCUMENTS:
                self._flush(key)
        self.documents += batch.num_rows
        while self._waiting.total() > PENDING_BYTES:
            self._flush(max(self._waiting, key=self._waiting.__getitem__))

    def _flush(self, key: tuple[str, str]) -> None:
        table = pa.concat_tables(self._pending.pop(key))
        del self._waiting[key]
        path = self._place(*key)
        if path.parent.name.startswith("bucket="):
            table = table.drop_columns(["bucket"])
        if key not in self._writers:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[key] = pq.ParquetWriter(path, table.schema, **COMPRESSION)
        self._writers[key].write_table(table)


def publish(shards: Sequence[Path], folder: Path, *, near_duplicates: float = 0.0) -> Counter[str]:
    """Split scored shards into lang=…/bucket=…/part-00000.parquet, in the order of the shards.

    A text that the same language already has from an earlier shard is dropped: dumps overlap.  (Ours: the paper
    does not say what became of pages that several of its dumps hold.)  `near_duplicates`: the Jaccard similarity from
    which a document that is almost an earlier one of its language is dropped as well; 0: none is.
    """
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    known = NearDuplicates(near_duplicates) if near_duplicates else None
    with PartWriters(
        lambda language, bucket: folder / f"lang={language}" / f"bucket={bucket}" / "part-00000.parquet"
    ) as writers:
        for shard in shards:
            for batch in read_batches(shard):
                writers.write(_fresh(batch, seen, known, counts))
    if not writers.documents:
        raise CorpusError(f"none of the {len(shards)} shards holds a document: nothing to publish")
    return counts


def release_parts(folder: Path) -> list[Path]:
    """The Parquet files of a release, in a stable order.  Raises CorpusError where there is none."""
    parts = sorted(folder.glob("lang=*/**/*.parquet"))
    if not parts:
        raise CorpusError(f"{folder}: holds no lang=…/*.parquet: wanted the folder of a release")
    return parts


def _fresh(
    batch: pa.RecordBatch, seen: set[bytes], known: NearDuplicates | None, counts: Counter[str]
) -> pa.RecordBatch:
    """The rows whose (language, text) is new, and unlike all before."""
    keep = []
    for row, (language, text) in enumerate(
        zip(batch.column("language").to_pylist(), batch.column("text").to_pylist(), strict=False)
    ):
        mark = hashlib.blake2b(f"{language}\n{text}".encode(), digest_size=16).digest()
        if mark in seen:
            counts["dropped_text_seen_before"] += 1
        elif known is not None and known.earlier(text, language) is not None:
            counts["dropped_near_duplicate"] += 1
        else:
            keep.append(row)
        seen.add(mark)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += len(keep)
    return batch.take(pa.array(keep, pa.int64()))


def _crawl_of(segment: str) -> str:
    """CC-MAIN-2019-35 of crawl-data/CC-MAIN-2019-35/segments/…; "" of any other path."""
    parts = segment.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "crawl-data" else ""
