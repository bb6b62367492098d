"""Sets drawn with replacement, as EuroEval draws those of each of its iterations.

The same seed and size draw the same places: test sets that are translations of each other stay parallel, and two
models with the same seed are trained and scored on the same examples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluation.records import Parts, Splits

# N examples

TRAIN, DEV, TEST = range(3)  # which part a draw is for


def drawn_splits(splits: Splits, seed: int) -> Splits:
    """Training and dev sets as they were drawn; test sets stay whole (see drawn_counts)."""
    return replace(splits, train=_drawn(splits.train, seed, TRAIN), dev=_drawn(splits.dev, seed, DEV))


def drawn_counts(size: int, seed: int) -> NDArray[np.float64]:
    """How often each example of a test set was drawn.

    All examples are predicted and the drawn ones counted, so that what an example contributed keeps its place.
    """
    return np.bincount(_places(size, seed, TEST), minlength=size).astype(np.float64)


def _drawn(parts: Parts, seed: int, part: int) -> Parts:
    return {name: tuple(examples[place] for place in _places(len(examples), seed, part))
            for name, examples in parts.items()}  # fmt: skip


def _places(size: int, seed: int, part: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, part]).integers(0, size, size) if size else np.zeros(0, np.int64)
