"""Documents that hold text of a benchmark: overlap by characters and by words, whatever the spacing and the lines.

Text is compared as NFKC, case folded, without white space, punctuation and symbols, so re-wrapped and re-cased copies
are equal and languages without spaces are served.  A benchmark's text is cut into windows, one each `stride` units, and
their hashes make the index; all windows of a document are looked up, and what counts is how many neighbouring windows
of a text are found one after another.  Two rules, either is enough: by characters, where a Han character counts as
three and a kana or Hangul syllable as two (about what a translation needs), and by words, for languages with short
words (GPT-3 took 13 words, Brown et al. 2020, appendix C; the other numbers are ours).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Units = NDArray[np.uint64]
Masks = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Rule:
    """`run` neighbouring windows make a match; a whole text of fewer windows, but of `least`, does as well."""

    window: int
    stride: int
    run: int
    least: int
    salt: int

    def units(self, windows: int) -> int:
        """What so many neighbouring windows cover."""
        return self.window + self.stride * (windows - 1)


CHARACTERS = Rule(window=24, stride=8, run=5, least=4, salt=0x9E3779B97F4A7C15)  # 56 characters; whole texts of 48
WORDS = Rule(window=7, stride=3, run=3, least=2, salt=0xC2B2AE3D27D4EB4F)  # 13 words; whole texts of 10
MAX_TEXTS = 10  # a window that more texts of the benchmarks have tells nothing ("which of the following is true")
MAX_BENCHMARKS = 32  # bits of a mask
FILTER_BITS = 32  # of the prefilter, for each window; 6 % of other windows pass one probe, 0.4 % both
GROUP_CHARACTERS = 1 << 16  # documents hashed together: their arrays stay in the processor's cache
COLUMN = "benchmarks"
BENCHMARK = "benchmark_"  # begins the names of counts
SEPARATOR = "\0"
DELETED, LETTER, WIDE, HAN, SPACE, EXPANDED = range(6)  # a letter's class is how many units it counts for
FOLDED_ALSO = {"ı": "i", "\u0307": ""}  # Turkish, whose capitals fold to others in text of another language
_BASE = 0x5851F42D4C957F2D | 1


class BenchmarkIndex:
    """Hashes of windows, sorted; for each the benchmarks that have it (a bit each) and the run that makes a match."""

    def __init__(self, names: Sequence[str], hashes: Units, masks: Masks, needed: NDArray[np.uint8]) -> None:
        self.names = tuple(names)
        self._hashes, self._masks, self._needed = hashes, masks, needed
        self._bits = max(16, (max(len(hashes), 1) * FILTER_BITS - 1).bit_length())
        self._filter = np.zeros(1 << (self._bits - 3), np.uint8)
        for slots in (self._first_slots(hashes), self._second_slots(hashes)):
            np.bitwise_or.at(self._filter, slots >> np.uint64(3), _bit(slots))

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def memory_bytes(self) -> int:
        """Of the index and its prefilter; of an index that was loaded, the prefilter alone, as the rest is mapped."""
        arrays = (self._filter, self._hashes, self._masks, self._needed)
        return sum(array.nbytes for array in arrays if not isinstance(array, np.memmap))

    def save(self, folder: Path) -> None:
        for name, array in (("hashes", self._hashes), ("masks", self._masks), ("needed", self._needed)):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, names: Sequence[str], files: Mapping[str, Path]) -> BenchmarkIndex:
        """`files`: those of `save`, by their names."""
        arrays = (np.load(files[f"{name}.npy"], mmap_mode="r") for name in ("hashes", "masks", "needed"))
        return cls(names, *arrays)

    def benchmarks_in(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The benchmarks that each text holds text of, in the order of their names here."""
        found = [mask for group in _groups(texts) for mask in self._masks_of(group).tolist()]
        return [tuple(name for bit, name in enumerate(self.names) if mask >> bit & 1) for mask in found]

    def _masks_of(self, texts: Sequence[str]) -> Masks:
        """A bit for each benchmark that a text matches, of each text."""
        found = np.zeros(len(texts), np.uint32)
        sequence = Sequenced.of(texts)
        for rule, units, text_at in sequence.by_rule():
            hashes = _windows(units, rule)
            at = self._passing(hashes)
            entries = np.searchsorted(self._hashes, hashes[at])
            same = self._hashes[np.minimum(entries, len(self._hashes) - 1)] == hashes[at]
            for start, mask in self._matches(rule, at[same].tolist(), entries[same]):
                found[np.searchsorted(text_at, start, "right") - 1] |= mask
        return found

    def _passing(self, hashes: Units) -> NDArray[np.intp]:
        """Where the prefilter cannot exclude the window."""
        if not len(self._hashes):
            return np.empty(0, np.intp)
        slots = self._first_slots(hashes)
        at = np.flatnonzero(self._filter[slots >> np.uint64(3)] & _bit(slots))
        slots = self._second_slots(hashes[at])
        passes: NDArray[np.bool_] = (self._filter[slots >> np.uint64(3)] & _bit(slots)) > 0
        return at[passes]

    def _matches(self, rule: Rule, at: list[int], entries: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """(start, mask) of the runs that are long enough."""
        masks, needed = self._masks[entries].tolist(), self._needed[entries].tolist()
        runs: dict[int, tuple[int, int]] = {}
        for start, mask, wanted in zip(reversed(at), reversed(masks), reversed(needed), strict=True):
            length, after = runs.get(start + rule.stride, (0, mask))
            length, mask = (length + 1, mask & after) if mask & after else (1, mask)
            runs[start] = length, mask
            if length >= wanted:
                yield start, mask

    def _first_slots(self, hashes: Units) -> Units:
        return hashes >> np.uint64(64 - self._bits)

    def _second_slots(self, hashes: Units) -> Units:
        return (hashes * np.uint64(_BASE)) >> np.uint64(64 - self._bits)


@dataclass(frozen=True, slots=True)
class Decontamination:
    """What becomes of documents that hold text of a benchmark: they go, or a column COLUMN names the benchmarks."""

    index: BenchmarkIndex
    drop: bool

    def apply(self, batch: pa.RecordBatch, counts: Counter[str]) -> pa.RecordBatch:
        """The batch without them or with the column; counts benchmark_NAME and dropped_benchmark_text."""
        found = self.index.benchmarks_in(batch.column("text").to_pylist())
        counts.update(f"{BENCHMARK}{name}" for names in found for name in names)
        if not self.drop:
            return batch.append_column(COLUMN, pa.array([list(names) for names in found], pa.list_(pa.string())))
        counts["dropped_benchmark_text"] += sum(map(bool, found))
        return batch.filter(pa.array([not names for names in found], pa.bool_()))


def index_texts(benchmarks: Mapping[str, Iterable[str]]) -> tuple[BenchmarkIndex, dict[str, dict[str, int]]]:
    """The index of each benchmark's texts, and of each how many texts were taken and were too short.

    Memory while it is built: about 40 bytes a window, that is 7 bytes a character.  Raises ValueError where there are
    more than MAX_BENCHMARKS.
    """
    if len(benchmarks) > MAX_BENCHMARKS:
        raise ValueError(f"{len(benchmarks)} benchmarks: wanted at most {MAX_BENCHMARKS}")
    counts: dict[str, dict[str, int]] = {}
    hashes, masks, needed = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)], [np.empty(0, np.uint8)]
    for bit, (name, texts) in enumerate(benchmarks.items()):
        distinct = list(dict.fromkeys(texts))
        taken = 0
        for group in _groups(distinct):
            indexed = np.zeros(len(group), bool)
            for rule, units, text_at in Sequenced.of(group).by_rule():
                at, wanted, has_windows = _indexed_windows(rule, text_at, len(units))
                hashes.append(_windows(units, rule)[at])
                masks.append(np.full(len(at), 1 << bit, np.uint32))
                needed.append(wanted)
                indexed |= has_windows
            taken += int(indexed.sum())
        counts[name] = {"texts": taken, "too_short": len(distinct) - taken}
    merged = _merged(np.concatenate(hashes), np.concatenate(masks), np.concatenate(needed))
    return BenchmarkIndex(tuple(benchmarks), *merged), counts


def units_of(text: str) -> int:
    """How many characters the text counts for."""
    return len(Sequenced.of([text]).units) - 1


def _indexed_windows(
    rule: Rule, text_at: NDArray[np.intp], end: int
) -> tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.bool_]]:
    """Where the windows of texts begin, the run that each needs, and which texts have any."""
    lengths = np.diff(np.append(text_at, end)) - 1  # a separator follows each text
    counts = np.maximum((lengths - rule.window) // rule.stride + 1, 0)
    counts[counts < rule.least] = 0
    text = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.where(number == 0, np.minimum(counts[text], rule.run), rule.run)
    return text_at[text] + rule.stride * number, wanted.astype(np.uint8), counts > 0


def _merged(hashes: Units, masks: Masks, needed: NDArray[np.uint8]) -> tuple[Units, Masks, NDArray[np.uint8]]:
    """Each window once, without those that many texts have."""
    if not len(hashes):
        return hashes, masks, needed
    order = np.argsort(hashes, kind="stable")
    hashes, masks, needed = hashes[order], masks[order], needed[order]
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
    rare = np.diff(np.append(starts, len(hashes))) <= MAX_TEXTS
    return (
        hashes[starts][rare],
        np.bitwise_or.reduceat(masks, starts)[rare],
        np.minimum.reduceat(needed, starts)[rare],
    )


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Texts as one sequence of units, a separator after each; `words_at`: where words begin in it."""

    units: Units
    text_at: NDArray[np.intp]
    words_at: NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Sequenced:
        codes, classes = _coded(texts)
        counted = np.where(classes < SPACE, classes, 0)
        units = _mixed()[codes]
        several = bool(counted.max(initial=0) > LETTER)
        units = np.repeat(units, counted) if several else units[counted > 0]
        ends = np.cumsum(counted, dtype=np.intp)
        gaps = np.append(0, ends[classes == SPACE])  # several where there is nothing between them
        words_at = gaps[:-1][np.diff(gaps) > 0]
        return cls(units, np.append(0, ends[codes == 0][:-1]), words_at)

    def by_rule(self) -> Iterator[tuple[Rule, Units, NDArray[np.intp]]]:
        """(rule, its units, where texts begin among them)."""
        yield CHARACTERS, self.units, self.text_at
        sums = _sums(self.units)
        ends = np.append(self.words_at[1:], len(self.units))
        words = (sums[ends] - sums[self.words_at]) * _powers(len(self.units))[1][self.words_at]
        yield WORDS, _scrambled(words), np.searchsorted(self.words_at, self.text_at)


def _coded(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Code points of all texts, a separator after each, and their classes."""
    composed = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
    codes, classes = _looked_up(composed)
    if (classes == EXPANDED).any():  # some code points become several: those texts take the long way
        ends = np.flatnonzero(codes == 0)
        slow = np.unique(np.searchsorted(ends, np.flatnonzero(classes == EXPANDED)))
        for number in slow.tolist():
            composed[number] = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", composed[number]).casefold())
        codes, classes = _looked_up(composed)
    return codes, classes


def _looked_up(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    joined = "".join(f"{text.replace(SEPARATOR, ' ')} {SEPARATOR} " for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
    return codes, _classes()[codes]


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in their order, about GROUP_CHARACTERS at a time."""
    ends = np.cumsum([len(text) for text in texts]) // GROUP_CHARACTERS
    for _, group in groupby(zip(ends.tolist(), texts, strict=True), key=lambda pair: pair[0]):
        yield [text for _, text in group]


def _windows(units: Units, rule: Rule) -> Units:
    """The hash of each window: a polynomial in the units, modulo 2**64."""
    if len(units) < rule.window:
        return np.empty(0, np.uint64)
    sums = _sums(units)
    found = sums[rule.window :] - sums[: -rule.window]
    found *= _powers(len(units))[1][: len(found)]
    found *= np.uint64(rule.salt)
    return found


def _sums(units: Units) -> Units:
    sums = np.zeros(len(units) + 1, np.uint64)
    np.cumsum(units * _powers(len(units))[0][: len(units)], out=sums[1:])
    return sums


def _powers(least: int) -> tuple[Units, Units]:
    """Powers of the base and their inverses, at least so many."""
    return _powers_up_to(max(16, (least - 1).bit_length()))


@cache
def _powers_up_to(bits: int) -> tuple[Units, Units]:
    powers = np.full(1 << bits, _BASE, np.uint64)
    inverses = np.full(1 << bits, pow(_BASE, -1, 1 << 64), np.uint64)
    powers[0] = inverses[0] = 1
    return np.cumprod(powers, dtype=np.uint64), np.cumprod(inverses, dtype=np.uint64)


def _scrambled(values: Units) -> Units:
    """SplitMix64's finaliser (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _bit(slots: Units) -> NDArray[np.uint8]:
    return np.left_shift(1, (slots & np.uint64(7)).astype(np.uint8), dtype=np.uint8)


@cache
def _classes() -> NDArray[np.uint8]:
    """How many units each code point counts for, or SPACE, or EXPANDED where the table of `_mixed` cannot serve it."""
    return _tables()[0]


@cache
def _mixed() -> Units:
    """The unit of each code point, case folded."""
    return _scrambled(_tables()[1].astype(np.uint64) + np.uint64(1))


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    classes = np.zeros(0x110000, np.uint8)
    folded = np.arange(0x110000, dtype=np.uint32)
    for code in (*range(1, 0x323B0), *range(0xE0000, 0xE0200)):  # planes that have letters
        character = chr(code)
        if character.isspace():
            classes[code] = SPACE
            continue
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
        kept = [FOLDED_ALSO.get(c, c) for c in text if unicodedata.category(c)[0] in "LMN"]
        kept = [c for c in kept if c]
        if len(kept) > 1 or (kept and kept[0] != character and unicodedata.combining(kept[0])):
            classes[code] = EXPANDED
        elif kept:
            folded[code] = ord(kept[0])
            classes[code] = _width(ord(kept[0]))
    classes[0] = LETTER  # the separator
    return classes, folded


def _width(code: int) -> int:
    if 0x3040 <= code <= 0x30FF or 0xAC00 <= code <= 0xD7A3 or 0x3100 <= code <= 0x312F:
        return WIDE
    return HAN if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000 else LETTER
