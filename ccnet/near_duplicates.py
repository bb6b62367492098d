"""Documents that are almost another one of their language: MinHash and locality-sensitive hashing (rensa).

Ours, as an option: neither the paper nor CCNet removes near-duplicates.
"""

from __future__ import annotations

from itertools import count

import rensa

from ccnet.normalize import normalize_for_dedup
from ccnet.signals import words_of

PERMUTATIONS = 128
BANDS = 32
SHINGLE_WORDS = 5
SEED = 1


class NearDuplicates:
    """Remembers the documents that were let through; about 1.5 KB of memory each."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._indexes: dict[str, rensa.RMinHashLSH] = {}
        self._sketches: dict[int, rensa.RMinHash] = {}
        self._next = count()

    def earlier(self, text: str, language: str) -> int | None:
        """The number, among those let through, of an earlier document of the language whose estimated Jaccard
        similarity reaches the threshold; None lets this one through."""
        sketch = rensa.RMinHash(PERMUTATIONS, SEED)
        sketch.update(shingles(text, language))
        index = self._indexes.setdefault(language, rensa.RMinHashLSH(self._threshold, PERMUTATIONS, BANDS))
        for key in sorted(index.query(sketch)):
            if sketch.jaccard(self._sketches[key]) >= self._threshold:
                return int(key)
        key = next(self._next)
        index.insert(key, sketch)
        self._sketches[key] = sketch
        return None


def shingles(text: str, language: str) -> list[str]:
    """The distinct windows of five words of the text, normalised as dedup does."""
    words = words_of(b" ".join(normalize_for_dedup([text])).decode(), language)
    windows = range(max(1, len(words) - SHINGLE_WORDS + 1))
    return list({" ".join(words[at : at + SHINGLE_WORDS]) for at in windows})
