"""A release of scored slices as the stages make it: languages apart, copies found, parts gathered."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.release import find_copies, regroup, text_marks
from ccnet.shards import read_batches


def gather(
    slices: Sequence[Path],
    folder: Path,
    *,
    near_duplicates: float = 0.0,
    memory_bytes: int = 1 << 20,
    parts: int = 1,
    max_file_bytes: int = 1 << 29,
) -> Counter[str]:
    """Write lang=…/bucket=…/part-PART-NUMBER.parquet; the sum of what `regroup` counted."""
    counts: Counter[str] = Counter()
    languages = sorted({code for path in slices for code in pq.read_table(path).column("language").to_pylist()})
    for language in languages:
        with tempfile.TemporaryDirectory() as scratch:
            documents = [
                _of_language(path, language, Path(scratch) / f"{at}.parquet") for at, path in enumerate(slices)
            ]
            marks = [_marks(path) for path in documents]
            stays = [path.with_suffix(".npy") for path in documents]
            options = {"near_duplicates": near_duplicates, "memory_bytes": memory_bytes}
            find_copies(marks, stays, documents, **options)  # type: ignore[arg-type]
            shards = list(zip(documents, stays, strict=True))
            for part in range(parts):
                some = shards[len(shards) * part // parts : len(shards) * (part + 1) // parts]
                counts.update(regroup(some, folder, part=part, max_file_bytes=max_file_bytes))
    return counts


def _of_language(path: Path, language: str, target: Path) -> Path:
    table = pq.read_table(path)
    pq.write_table(table.filter(pc.field("language") == language), target)
    return target


def _marks(documents: Path) -> Path:
    path = documents.with_suffix(".marks")
    path.write_bytes(b"".join(text_marks(batch) for batch in read_batches(documents)))
    return path
