"""Which tokens are predicted, and what stands in their place (BERT; RoBERTa's dynamic masks).

As fairseq: floor(0.15 T + u) positions of a block without replacement, any position, <s> and </s> included; 80 %
become <mask>, 10 % a random id from 4 on, 10 % stay.  The random numbers are keyed by (seed, sample index), so a
resumed run masks alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.vocabulary import FIRST_PIECE

# B batch, T tokens, S slots
FRACTION = 0.15
MASKED, RANDOM = 0.8, 0.9  # below the first: <mask>; between: a random id; above: unchanged
IGNORED = -100  # torch's cross entropy leaves such targets out

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MaskedBlock:
    """`positions` and `targets` have a fixed number of slots; an unused one has position 0 and target -100."""

    ids_T: Ids
    positions_S: Ids
    targets_S: Ids


def slots(tokens: int, fraction: float = FRACTION) -> int:
    """The most positions that a block of that length can have masked."""
    return int(fraction * tokens) + 1


def mask_block(
    ids_T: Ids, *, seed: int, sample: int, vocabulary_size: int, mask_id: int, fraction: float = FRACTION
) -> MaskedBlock:
    """Mask one block, specials included."""
    chance = np.random.Generator(np.random.Philox(key=[seed, sample]))
    tokens = len(ids_T)
    count = min(int(fraction * tokens + chance.random()), slots(tokens, fraction))
    chosen = np.sort(chance.permutation(tokens)[:count])
    kind = chance.random(count)
    words = chance.integers(FIRST_PIECE, vocabulary_size, count)
    masked_T = ids_T.copy()
    masked_T[chosen] = np.where(kind < MASKED, mask_id, np.where(kind < RANDOM, words, ids_T[chosen]))
    positions_S = np.zeros(slots(tokens, fraction), np.int64)
    targets_S = np.full(slots(tokens, fraction), IGNORED, np.int64)
    positions_S[:count], targets_S[:count] = chosen, ids_T[chosen]
    return MaskedBlock(masked_T, positions_S, targets_S)
