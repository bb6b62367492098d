"""64-bit hashes of normalised paragraphs (CCNet section 3.2): the first 8 bytes of SHA-1, little-endian."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ccnet import _hashing
from ccnet.normalize import dedup_table
from ccnet.shards import read_batches

Hashes = NDArray[np.uint64]
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


def write_hashes(batches: Iterable[tuple[Hashes, Sequence[int]]], outputs: Sequence[Path]) -> Counter[str]:
    """As `hash_shard`, from the hashes of all lines and how many of them each document has."""
    found, documents = [np.empty(0, "<u8")], 0
    for hashes, lines in batches:
        documents += len(lines)
        found.append(hashes[first_in_document(hashes, lines)])
    hashes, times = np.unique(np.concatenate(found), return_counts=True)
    entries = np.empty(len(hashes), ENTRY)
    entries["hash"], entries["repeated"] = hashes, times > 1
    cuts = np.searchsorted(entries["hash"], range_edges(len(outputs)))
    for output, part in zip(outputs, np.split(entries, cuts), strict=True):
        with output.open("wb") as file:
            np.save(file, part)
    return Counter(documents_hashed=documents, hashes=len(hashes), repeated=int((times > 1).sum()))
