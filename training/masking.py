"""Which tokens are predicted, and what stands in their place (BERT; RoBERTa's dynamic masks).

As fairseq: floor(0.15 T + u) positions of a block without replacement, any position, <s> and </s> included; 80 %
become <mask>, 10 % a random id from 4 on, 10 % stay.  The random numbers are a function of (seed, sample index), so
a resumed run masks alike, however it is shared among processes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.ids import FIRST_PIECE
from training.order import mix

# B batch, T tokens, S slots
FRACTION = 0.15
MASKED, RANDOM = 0.8, 0.9  # below the first: <mask>; between: a random id; above: unchanged
IGNORED = -100  # torch's cross entropy leaves such targets out
STREAMS = ("count", "position", "kind", "word")  # of random numbers of a sample
STEP = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's: 2^64 divided by the golden ratio

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MaskedBlocks:
    """`positions` and `targets` have a fixed number of slots; an unused one has position 0 and target -100."""

    ids_BT: Ids
    positions_BS: Ids
    targets_BS: Ids


def slots(tokens: int, fraction: float = FRACTION) -> int:
    """The most positions that a block of that length can have masked."""
    return int(fraction * tokens) + 1


def mask_blocks(
    ids_BT: Ids, samples_B: Ids, *, seed: int, vocabulary_size: int, mask_id: int, fraction: float = FRACTION
) -> MaskedBlocks:
    """Mask blocks, specials included, each by its sample index."""
    blocks, tokens = ids_BT.shape
    width = slots(tokens, fraction)
    number = _Numbers(seed, samples_B)
    count_B1 = (fraction * tokens + number.uniform("count", 1)).astype(np.int64)
    chosen_BS = np.argsort(number.bits("position", tokens), axis=1, kind="stable")[:, :width]
    # Slots are in the order of positions; those beyond the count come last.
    chosen_BS = np.sort(np.where(np.arange(width) < count_B1, chosen_BS, tokens), axis=1)
    used_BS = chosen_BS < tokens
    positions_BS = np.where(used_BS, chosen_BS, 0)
    rows_B1 = np.arange(blocks)[:, None]
    targets_BS = ids_BT[rows_B1, positions_BS]
    kind_BS = number.uniform("kind", width)
    words_BS = FIRST_PIECE + (number.uniform("word", width) * (vocabulary_size - FIRST_PIECE)).astype(np.int64)
    replaced_BS = np.where(kind_BS < MASKED, mask_id, np.where(kind_BS < RANDOM, words_BS, targets_BS))
    masked_BT = ids_BT.copy()
    masked_BT[np.nonzero(used_BS)[0], positions_BS[used_BS]] = replaced_BS[used_BS]
    return MaskedBlocks(masked_BT, positions_BS, np.where(used_BS, targets_BS, IGNORED))


class _Numbers:
    """Random numbers that are a function of (seed, sample, stream, index) alone."""

    def __init__(self, seed: int, samples_B: Ids) -> None:
        self._seed = seed
        self._samples_B1 = samples_B.astype(np.uint64)[:, None]

    def bits(self, stream: str, width: int) -> NDArray[np.uint64]:
        """64 random bits for each sample and index."""
        digest = hashlib.blake2b(f"{self._seed}/masks/{stream}".encode(), digest_size=16).digest()
        first, second = np.frombuffer(digest, "<u8")
        of_sample_B1 = mix(self._samples_B1 * STEP, first)
        return mix(of_sample_B1 + np.arange(1, width + 1, dtype=np.uint64) * STEP, second)

    def uniform(self, stream: str, width: int) -> NDArray[np.float64]:
        """In [0, 1), with 53 bits."""
        return (self.bits(stream, width) >> np.uint64(11)).astype(np.float64) * 2.0**-53
