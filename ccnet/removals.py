"""Which entries of a removal list concern a set of documents, told by their hosts alone.

The hosts of a part of a release, each with the domains that it lies in, are kept as 64-bit marks: 8 bytes each, however
many documents a host has.  A list's entry concerns the part where the mark of its host is among them, so a new entry
for another host changes nothing there.  An entry for one address counts wherever its host is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ccnet.block_list import host_of, read_entries, with_parents
from ccnet.shards import read_batches

Marks = NDArray[np.uint64]  # sorted, each once


def host_marks(documents: Sequence[Path]) -> Marks:
    """The marks of all hosts that Parquet files of documents hold, and of the domains above them."""
    hosts: set[str] = set()
    for path in documents:
        for batch in read_batches(path, ["url"]):
            hosts.update(map(host_of, batch.column("url").to_pylist()))
    above = {name for host in hosts if host for name in with_parents(host)}
    return np.sort(np.fromiter(map(_mark, above), np.uint64, len(above)))


class RemovalList:
    """The entries of a removal list, each once."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        """`entries`: those of `read_entries`, with their hosts."""
        known = sorted(set(entries))
        self.entries = [entry for entry, _ in known]
        self._marks = np.fromiter((_mark(host) for _, host in known), np.uint64, len(known))

    @classmethod
    def read(cls, path: Path) -> RemovalList:
        """Raises CorpusError naming file and line."""
        return cls(read_entries(path))

    def concerning(self, hosts: Marks) -> tuple[str, ...]:
        """The entries, sorted, whose host is among these marks."""
        return tuple(self.entries[at] for at in np.flatnonzero(np.isin(self._marks, hosts)).tolist())


def _mark(host: str) -> int:
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=8).digest(), "little")
