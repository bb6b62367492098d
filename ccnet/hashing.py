"""64-bit hashes of normalised paragraphs (CCNet section 3.2): the first 8 bytes of SHA-1, little-endian."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ccnet import _hashing
from ccnet.normalize import dedup_table
from ccnet.shards import read_batches

Hashes = NDArray[np.uint64]
MAX_PENDING = 1 << 24  # hashes: 128 MiB
ENTRY = np.dtype([("hash", "<u8"), ("repeated", "u1")])  # repeated: in two or more documents of the shard


def hash_lines(texts: Sequence[str]) -> Hashes:
    """One hash for each line of all documents, one document after another, empty lines included."""
    return np.frombuffer(_hashing.hash_lines(texts, dedup_table()), dtype="<u8")


def first_in_document(hashes: Hashes, lines: Sequence[int] | NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where a document has the hash for the first time; `lines` says how many of them each document has."""
    document = np.repeat(np.arange(len(lines)), lines)
    order = np.lexsort((hashes, document))  # stable: equal hashes of a document stay in the order of its lines
    in_order, documents = hashes[order], document[order]
    first = np.ones(len(hashes), bool)
    first[order[1:]] = (in_order[1:] != in_order[:-1]) | (documents[1:] != documents[:-1])
    return first


def range_edges(ranges: int, low: int = 0, high: int = 1 << 64) -> Hashes:
    """Where [low, high) is cut into equal ranges: the first hash of each but the first.  SHA-1 fills them alike."""
    return np.array([low + (high - low) * index // ranges for index in range(1, ranges)], "<u8")


def hash_shard(documents: Path, outputs: Sequence[Path]) -> Counter[str]:
    """Write the shard's distinct hashes, sorted, each with whether two documents have it; a range of them to each
    of the outputs."""
    batches = read_batches(documents, ["text", "nlines"])
    return write_hashes(
        ((hash_lines(batch.column("text").to_pylist()), batch.column("nlines").to_pylist()) for batch in batches),
        outputs,
    )


def write_hashes(
    batches: Iterable[tuple[Hashes, Sequence[int]]], outputs: Sequence[Path], max_pending: int = MAX_PENDING
) -> Counter[str]:
    """As `hash_shard`, from the hashes of all lines and how many of them each document has.

    Memory: `max_pending` hashes, of which sorted runs go to disk, and then one of the outputs.
    """
    counts: Counter[str] = Counter(documents_hashed=0, hashes=0, repeated=0)
    edges = range_edges(len(outputs))
    with TemporaryDirectory(dir=outputs[0].parent) as folder:
        runs: list[Path] = []
        for pending in _pending(batches, max_pending, counts):
            runs.append(Path(folder) / f"{len(runs)}.npy")
            np.save(runs[-1], _merged(pending, np.zeros(len(pending), np.uint8)))
        mapped = [np.load(run, mmap_mode="r") for run in runs]
        cuts = [[0, *(first_at_least(run, edge) for edge in edges.tolist()), len(run)] for run in mapped]
        for index, output in enumerate(outputs):
            parts = [run[cut[index] : cut[index + 1]] for run, cut in zip(mapped, cuts, strict=True)]
            found = np.concatenate([np.empty(0, ENTRY), *parts])
            entries = found if len(parts) == 1 else _merged(found["hash"], found["repeated"])
            counts.update(hashes=len(entries), repeated=int(entries["repeated"].sum()))
            with output.open("wb") as file:
                np.save(file, entries)
    return counts


def _pending(
    batches: Iterable[tuple[Hashes, Sequence[int]]], max_pending: int, counts: Counter[str]
) -> Iterator[Hashes]:
    """Each document's distinct hashes, many documents together."""
    found: list[Hashes] = []
    for hashes, lines in batches:
        counts["documents_hashed"] += len(lines)
        found.append(hashes[first_in_document(hashes, lines)])
        if sum(map(len, found)) >= max_pending:
            yield np.concatenate(found)
            found = []
    yield np.concatenate([np.empty(0, "<u8"), *found])


def _merged(hashes: Hashes, repeated: NDArray[np.uint8]) -> NDArray[np.void]:
    """Distinct hashes, sorted; repeated where one was, or where it comes twice."""
    order = np.argsort(hashes, kind="stable")
    in_order = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1]])) if len(hashes) else order
    entries = np.empty(len(starts), ENTRY)
    entries["hash"] = in_order[starts]
    twice = np.diff(np.append(starts, len(hashes))) > 1
    entries["repeated"] = (np.maximum.reduceat(repeated[order], starts) if len(starts) else repeated) | twice
    return entries


def first_at_least(entries: NDArray[np.void], edge: int) -> int:
    """Where the hashes from `edge` on begin; numpy's own search would copy the column out of a mapped file."""
    return bisect_left(range(len(entries)), edge, key=lambda at: int(entries[at]["hash"]))
