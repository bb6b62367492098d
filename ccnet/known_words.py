"""How many of a text's words a language's reference text has: a classifier must name some language for any text, but a
text in a language that it never saw has few words of the one that it names.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ccnet.document import CorpusError

WORD = re.compile(r"\b[^\W\d_]\w+")  # two letters and more, no numbers
MOST_WORDS = 4000  # of a language, the most frequent: a hundred languages take about 40 MB
FIRST_CHARACTERS = 2000  # of a text, that classifier and words are asked about; the whole costs twice the time
NEARLY_ALL = 0.02  # all but 2 % of the held-out texts have at least this share


class KnownWords:
    """The most frequent words of each language, and the share of them that its own held-out texts have."""

    def __init__(self, words: Mapping[str, Collection[str]], usual: Mapping[str, float]) -> None:
        self._words = {language: frozenset(found) for language, found in words.items()}
        self.usual = dict(usual)

    @classmethod
    def learn(cls, trained: Mapping[str, Iterable[str]], held: Mapping[str, Sequence[str]]) -> KnownWords:
        """From the texts that a classifier is trained on, and others of the same languages."""
        words = {}
        for language, texts in trained.items():
            counts = Counter(word for text in texts for word in _words(text))
            words[language] = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
        known = cls(words, {})
        for language in words:
            shares = [known.share(text, language) for text in held[language]]
            known.usual[language] = round(float(np.quantile(shares, NEARLY_ALL)), 4)
        return known

    @classmethod
    def read(cls, path: Path) -> KnownWords:
        """What `write` left.  Raises CorpusError."""
        words, usual = {}, {}
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                language, _, rest = line.rstrip("\n").partition("\t")
                share, tab, found = rest.partition("\t")
                if not tab:
                    raise CorpusError(f"{path}: {line[:40]!r}: wanted a language, its share and its words")
                words[language], usual[language] = found.split(" "), float(share)
        return cls(words, usual)

    def write(self, path: Path) -> None:
        lines = (f"{code}\t{self.usual[code]}\t{' '.join(sorted(self._words[code]))}\n" for code in sorted(self._words))
        path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))

    def share(self, text: str, language: str) -> float:
        """0 to 1, of the words of the text's beginning."""
        known, words = self._words[language], _words(text[:FIRST_CHARACTERS])
        return sum(word in known for word in words) / max(len(words), 1)

    def fits(self, text: str, language: str, part: float) -> bool:
        """Whether the text has at least `part` of the share that is usual.  A language without words fits any."""
        least = part * self.usual.get(language, 0.0)
        return least == 0 or self.share(text, language) >= least

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)


def _words(text: str) -> list[str]:
    """Lower-cased; without the first and the last, which may be cut."""
    return WORD.findall(text.lower())[1:-1]
