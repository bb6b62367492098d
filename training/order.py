"""Which block is the n-th sample: a pure function of (seed, block counts, alpha), without any stored list.

Samples come in cycles.  In a cycle each language has a fixed quota (its q_l, largest remainders), and a keyed
Feistel permutation mixes the cycle.  The j-th draw of a language is block j mod N of its epoch j // N, itself
permuted, so a language's blocks are all drawn once before any is drawn again, whatever the number of processes.
fairseq draws with replacement instead where a language is oversampled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.sampling import language_probabilities

ROUNDS = 4
MAX_BEND = 0.05  # ours: how far a cycle's whole quotas may change a language's share
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draws:
    """For each asked sample: index of the language (sorted codes), its epoch, the block."""

    language: Numbers
    epoch: Numbers
    block: Numbers


class Order:
    """The data order of a run.  `cycle` is the number of samples in which quotas are met exactly.

    Where whole quotas in `cycle` samples would change a language's share by more than 5 %, the cycle is doubled
    until they do not.
    """

    def __init__(self, blocks: Mapping[str, int], alpha: float, seed: int, cycle: int = 1 << 16) -> None:
        shares = language_probabilities(blocks, alpha)
        self.languages: Sequence[str] = tuple(shares)
        self.blocks = np.array([blocks[language] for language in self.languages], np.int64)
        self.cycle, self.quotas = _cycle_and_quotas(np.array(list(shares.values())), cycle)
        self.seed = seed
        self._starts = np.concatenate([[0], np.cumsum(self.quotas)])

    def draws_of_first(self, samples: int) -> dict[str, int]:
        """How often each language is drawn in the first `samples` samples; the work is that of one cycle."""
        cycles, rest = divmod(samples, self.cycle)
        last = self.draw(np.arange(samples - rest, samples)).language
        drawn = cycles * self.quotas + np.bincount(last, minlength=len(self.languages))
        return dict(zip(self.languages, drawn.tolist(), strict=True))

    def draw(self, samples: Numbers) -> Draws:
        """What the samples with these global indices are."""
        language = np.empty(len(samples), np.int64)
        draw = np.empty(len(samples), np.int64)
        cycles = samples // self.cycle
        for cycle in np.unique(cycles):
            at = cycles == cycle
            slot = permute(samples[at] % self.cycle, self.cycle, f"{self.seed}/cycle/{cycle}")
            language[at] = np.searchsorted(self._starts, slot, "right") - 1
            draw[at] = cycle * self.quotas[language[at]] + slot - self._starts[language[at]]
        epoch, place = np.divmod(draw, self.blocks[language])
        block = np.empty(len(samples), np.int64)
        for one, turn in set(zip(language.tolist(), epoch.tolist(), strict=True)):
            at = (language == one) & (epoch == turn)
            key = f"{self.seed}/{self.languages[one]}/{turn}"
            block[at] = permute(place[at], int(self.blocks[one]), key)
        return Draws(language, epoch, block)


def permute(numbers: Numbers, size: int, key: str) -> Numbers:
    """A keyed permutation of range(size) applied to some of its members (Feistel network with cycle walking)."""
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    keys = np.frombuffer(hashlib.blake2b(key.encode(), digest_size=8 * ROUNDS).digest(), "<u8")
    out = numbers.astype(np.uint64)
    todo = np.ones(len(out), bool)
    while todo.any():
        left, right = out[todo] >> np.uint64(half), out[todo] & mask
        for round_key in keys:
            left, right = right, left ^ (mix(right, round_key) & mask)
        out[todo] = (left << np.uint64(half)) | right
        todo = out >= np.uint64(size)  # outside the range: walk on
    return out.astype(np.int64)


def mix(values: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """splitmix64's finaliser: every output bit depends on every input bit."""
    mixed = values + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _cycle_and_quotas(shares: NDArray[np.float64], cycle: int) -> tuple[int, Numbers]:
    """Quotas by largest remainders; each is within 1 of its share, so a long enough cycle always comes."""
    while True:
        exact = shares * cycle
        quotas = np.floor(exact).astype(np.int64)
        order = np.argsort(quotas - exact, kind="stable")
        quotas[order[: cycle - int(quotas.sum())]] += 1
        if (np.abs(quotas - exact) <= MAX_BEND * exact).all():
            return cycle, quotas
        cycle *= 2
