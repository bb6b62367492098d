"""64-bit hashes of normalised paragraphs (CCNet section 3.2): the first 8 bytes of SHA-1, little-endian."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ccnet.normalize import normalize_for_dedup
from ccnet.shards import read_batches

Hashes = NDArray[np.uint64]
ENTRY = np.dtype([("hash", "<u8"), ("repeated", "u1")])  # repeated: in two or more documents of the shard


def hash_text(text: str) -> Hashes:
    """One hash for each line of a document, empty lines included."""
    sha1 = hashlib.sha1
    raw = b"".join([sha1(line).digest()[:8] for line in normalize_for_dedup(text).encode().split(b"\n")])
    return np.frombuffer(raw, dtype="<u8")


def hash_shard(documents: Path, output: Path) -> Counter[str]:
    """Write the shard's distinct hashes, sorted, each with whether two documents have it."""
    found = [
        np.unique(hash_text(text))  # a line repeated inside one document counts once
        for batch in read_batches(documents, ["text"])
        for text in batch.column("text").to_pylist()
    ]
    hashes, times = np.unique(np.concatenate([np.empty(0, "<u8"), *found]), return_counts=True)
    entries = np.empty(len(hashes), ENTRY)
    entries["hash"], entries["repeated"] = hashes, times > 1
    with output.open("wb") as file:
        np.save(file, entries)
    return Counter(documents_hashed=len(found), hashes=len(hashes), repeated=int((times > 1).sum()))
