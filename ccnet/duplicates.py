"""Which paragraphs each shard must lose, from the sorted hashes of all shards, in bounded memory.

Hashes are uniform (SHA-1), so their space is cut into as many equal ranges as the memory asks for, and a range is
merged over all shards at a time: files are memory-mapped, and a shard's own duplicates are written as found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ccnet.hashing import Hashes, first_at_least, range_edges

DEFAULT_MEMORY_BYTES = 2 << 30
BLOCK = 1 << 22  # hashes looked at together
BYTES_PER_HASH = 64  # of a range while it is merged: hash, shard, order, and both in that order


def find_duplicates(
    shards: Sequence[Path],
    outputs: Sequence[Path],
    *,
    keep_first: bool = False,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    part: tuple[int, int] = (0, 1),
) -> Counter[str]:
    """Write, for the last len(outputs) of the shards' hash files, the sorted hashes that the shard must lose.

    CCNet's rule: every hash that two documents of the shards have.  `keep_first`: every hash that an earlier shard
    has; what several documents of one shard have is left to `deduplicate_shard`, which keeps the first.
    The files are plain little-endian uint64.  `part`: which of how many ranges the hash files hold (`hash_shard`).
    """
    entries = [np.load(path, mmap_mode="r") for path in shards]
    total = sum(len(found) for found in entries)
    ranges = max(1, -(-total * BYTES_PER_HASH // memory_bytes))
    low, high = ((1 << 64) * bound // part[1] for bound in (part[0], part[0] + 1))
    edges = range_edges(ranges, low, high)
    cuts = [[0, *(first_at_least(found, edge) for edge in edges.tolist()), len(found)] for found in entries]
    skipped = len(shards) - len(outputs)
    counts: Counter[str] = Counter(hashes=total, ranges=ranges, duplicates=0)
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in outputs]
        for index in range(ranges):
            parts = [found[cut[index] : cut[index + 1]] for found, cut in zip(entries, cuts, strict=True)]
            for shard, hashes in enumerate(_losses(parts, keep_first)):
                if shard >= skipped:
                    counts["duplicates"] += len(hashes)
                    hashes.tofile(files[shard - skipped])
    return counts


def load_hashes(path: Path) -> Hashes:
    """What `find_duplicates` wrote for one shard, memory-mapped."""
    return np.memmap(path, "<u8", "r") if path.stat().st_size else np.empty(0, "<u8")


def _losses(parts: Sequence[np.ndarray], keep_first: bool) -> list[Hashes]:
    """Of one range: what each shard must lose."""
    hashes = np.concatenate([part["hash"] for part in parts])
    order = np.argsort(hashes, kind="stable")  # equal hashes in the order of the shards
    same = hashes[order[1:]] == hashes[order[:-1]]
    later = np.concatenate([[False], same])  # an earlier shard has it
    if keep_first:
        lost = later
    else:
        repeated = np.concatenate([part["repeated"] for part in parts])[order] == 1
        lost = later | np.concatenate([same, [False]]) | repeated
    flags = np.empty(len(hashes), bool)
    flags[order] = lost
    ends = np.cumsum([len(part) for part in parts])
    return [found[flag] for found, flag in zip(np.split(hashes, ends[:-1]), np.split(flags, ends[:-1]), strict=True)]


def first_copies(hashes: Hashes, memory_bytes: int) -> NDArray[np.bool_]:
    """Where a hash comes for the first time; `hashes`, in any order, may be memory-mapped."""
    stays = np.zeros(len(hashes), bool)
    ranges = max(1, -(-len(hashes) * BYTES_PER_HASH // memory_bytes))
    edges = range_edges(ranges)
    for index in range(ranges):
        blocks = [_rows_in(hashes, start, edges, index) for start in range(0, len(hashes), BLOCK)]
        rows = np.concatenate([np.empty(0, np.int64), *blocks])
        stays[rows[np.unique(hashes[rows], return_index=True)[1]]] = True
    return stays


def _rows_in(hashes: Hashes, start: int, edges: Hashes, index: int) -> NDArray[np.int64]:
    """The rows, among BLOCK from `start` on, whose hash lies in the range."""
    block = hashes[start : start + BLOCK]
    return start + np.flatnonzero(np.searchsorted(edges, block, side="right") == index)
