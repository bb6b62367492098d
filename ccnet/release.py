"""A release: Hive-partitioned Parquet, a text of a language once."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ccnet.document import CorpusError
from ccnet.duplicates import DEFAULT_MEMORY_BYTES, first_copies
from ccnet.hashing import Hashes
from ccnet.near_duplicates import NearDuplicates
from ccnet.shards import COMPRESSION, ROW_GROUP_DOCUMENTS, read_batches

if TYPE_CHECKING:
    from ccnet.block_list import BlockList
    from ccnet.decontaminate import Decontamination

PENDING_BYTES = 256 << 20  # rows wait for a row group of sensible size no longer than this
COPY, KEPT, NEAR = 0, 1, 2  # what becomes of a document: a copy, kept, almost an earlier one


class PartWriters:
    """Parquet files of documents, each where `place` says for the values of the columns `by`.

    A part whose folder says the bucket (Hive's bucket=…) does not repeat it as a column.  With `max_file_bytes` a name
    gets a number, NAME-00000.parquet, and a file of that size is followed by the next.
    """

    def __init__(
        self, place: Callable[..., Path], by: Sequence[str] = ("language", "bucket"), max_file_bytes: int = 0
    ) -> None:
        self._place = place
        self._by = by
        self._max_file_bytes = max_file_bytes
        self._writers: dict[Path, pq.ParquetWriter] = {}
        self._files: dict[Path, list[Path]] = {}
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
        self._writer(path, table.schema).write_table(table)
        if self._max_file_bytes and self._files[path][-1].stat().st_size >= self._max_file_bytes:
            self._writers.pop(path).close()

    def _writer(self, path: Path, schema: pa.Schema) -> pq.ParquetWriter:
        if path not in self._writers:
            files = self._files.setdefault(path, [])
            number = f"-{len(files):05d}" if self._max_file_bytes else ""
            files.append(path.with_name(f"{path.stem}{number}{path.suffix}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[path] = pq.ParquetWriter(files[-1], schema, **COMPRESSION)
        return self._writers[path]


def text_marks(batch: pa.RecordBatch) -> bytes:
    """64 bits of BLAKE2 of each document's text, in order: what `find_copies` tells texts apart by."""
    texts = batch.column("text").to_pylist()
    return b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)


def find_copies(
    marks: Sequence[Path],
    outputs: Sequence[Path],
    documents: Sequence[Path] = (),
    *,
    near_duplicates: float = 0.0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Counter[str]:
    """Write, for each slice of a language, what becomes of each document (.npy of COPY, KEPT, NEAR): a
    text stays where it comes first.

    Dumps overlap; the paper does not say what became of pages that several of its dumps hold, so this is ours.
    `marks` are the files of `text_marks`, in the order that counts.  Memory is `memory_bytes` and a byte a document.
    `near_duplicates`: the Jaccard similarity from which a document that is almost an earlier one goes as well; it is
    found by reading `documents`, the slices' files (1.5 KB of memory a document); 0: none is.
    """
    counts: Counter[str] = Counter(texts=0, copies=0, near_duplicates=0)
    known = NearDuplicates(near_duplicates) if near_duplicates else None
    with tempfile.TemporaryFile() as file:
        ends = [0]
        for path in marks:
            with path.open("rb") as source:
                shutil.copyfileobj(source, file)
            ends.append(file.tell() // 8)
        file.flush()
        hashes: Hashes = np.memmap(file, "<u8", "r") if ends[-1] else np.empty(0, "<u8")
        fresh = first_copies(hashes, memory_bytes)
    for slice_, output in enumerate(outputs):
        first = fresh[ends[slice_] : ends[slice_ + 1]]
        kept = first if known is None else _unlike_all_before(documents[slice_], first, known)
        np.save(output, np.where(kept, KEPT, np.where(first, NEAR, COPY)).astype(np.uint8))
        counts.update(texts=len(first), copies=int((~first).sum()), near_duplicates=int((first & ~kept).sum()))
    return counts


def _unlike_all_before(documents: Path, stays: NDArray[np.bool_], known: NearDuplicates) -> NDArray[np.bool_]:
    unlike = stays.copy()
    row = 0
    for batch in read_batches(documents, ["language", "text"]):
        rows = zip(batch.column("language").to_pylist(), batch.column("text").to_pylist(), strict=True)
        for language, text in rows:
            if stays[row]:
                unlike[row] = known.earlier(text, language) is None
            row += 1
    return unlike


def regroup(
    shards: Sequence[tuple[Path, Path]],
    folder: Path,
    *,
    part: int = 0,
    max_file_bytes: int = 0,
    removed: BlockList | None = None,
    decontamination: Decontamination | None = None,
) -> Counter[str]:
    """Gather slices' documents into lang=…/bucket=…/part-PART-00000.parquet, in their order (CCNet's regroup).

    `shards`: documents of a slice and what `find_copies` wrote for it.  `removed`: whose pages are left out; their
    copies elsewhere do not take their place.
    """
    counts: Counter[str] = Counter(documents_in=0, documents_kept=0)
    with PartWriters(
        lambda language, bucket: folder / f"lang={language}" / f"bucket={bucket}" / f"part-{part:05d}.parquet",
        max_file_bytes=max_file_bytes,
    ) as writers:
        for documents, chosen in shards:
            stays = np.load(chosen)
            row = 0
            for batch in read_batches(documents):
                of_batch = stays[row : row + batch.num_rows]
                row += batch.num_rows
                kept = batch.filter(pa.array(of_batch == KEPT))
                counts["documents_in"] += batch.num_rows
                counts["dropped_text_seen_before"] += int((of_batch == COPY).sum())
                counts["dropped_near_duplicate"] += int((of_batch == NEAR).sum())
                if removed:
                    kept = without(kept, removed)
                    counts["dropped_removal_list"] += int((of_batch == KEPT).sum()) - kept.num_rows
                if decontamination:
                    kept = decontamination.apply(kept, counts)
                counts["documents_kept"] += kept.num_rows
                writers.write(kept)
    return counts


def without(batch: pa.RecordBatch, removed: BlockList) -> pa.RecordBatch:
    """The documents of a batch whose pages are not on the list."""
    return batch.filter(pa.array([not removed.blocks(url) for url in batch.column("url").to_pylist()], pa.bool_()))


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
