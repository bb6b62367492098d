"""SentencePiece's normalisation as a chain of Hugging Face's normalizers, exact to the character.

Their `Precompiled` reads the same rules, but by grapheme: it takes the shortest rule that fits the beginning of a
short grapheme and forgets its end, and in a long one it sees no rule for several characters (half-width katakana with
a voicing mark, Hangul jamo, decomposed Indic letters).  Here characters are parted, so that it sees each alone; what
belongs together is then composed by NFC, which gives what a rule for several characters gives.  NFC would compose and
reorder more than the rules do, so a barrier character stands wherever no rule joins two neighbours; it is removed at
the end.
Not covered: 21 compositions of Unicode 15 and later (Gurung Khema, Kirat Rai and the like), which NFC may not know.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

BARRIER, GAP = "\ufdd0", "\ufdd1"  # characters that no text may hold
SPACE = "\u2581"


def normalizers(compiled: bytes, rules: Mapping[str, str]) -> dict[str, Any]:
    """The `normalizer` of a tokenizer.json; `compiled` are the same rules in SentencePiece's form."""
    chain: list[dict[str, Any]] = []
    if rules:
        chain = [
            _replace(_no_rule_joins(rules), BARRIER),
            _replace(r"(?m)(?<=.)\Y(?=.)", GAP),  # inside a grapheme
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(compiled).decode()},
            _replace(GAP, ""),
            {"type": "NFC"},
            _replace(BARRIER, ""),
        ]
    chain += [
        _replace(f"^ +|[ {SPACE}]+$", ""),
        _replace(" +", SPACE),
        {"type": "Prepend", "prepend": SPACE},
    ]
    return {"type": "Sequence", "normalizers": chain}


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _no_rule_joins(rules: Mapping[str, str]) -> str:
    """A pattern for the empty place before a character that could be composed or reordered, but by no rule.

    A rule's first character is never another one's second, so a character's two or three forerunners tell.
    """
    firsts: dict[str, set[str]] = defaultdict(set)  # what follows a first character -> the first characters
    for key in rules:
        for end in range(2, len(key) + 1):
            firsts[key[1:end]].add(key[0])
    nexts: dict[tuple[frozenset[str], str], set[str]] = defaultdict(set)
    for tail, characters in firsts.items():
        nexts[frozenset(characters), tail[:-1]].add(tail[-1])
    between: dict[tuple[frozenset[str], frozenset[str]], set[str]] = defaultdict(set)
    for (heads, middle), last in nexts.items():
        between[heads, frozenset(last)].add(middle)
    joins = [
        f"(?<={_class(heads)}{middle}){_class(last)}"
        for (heads, last), middles in between.items()
        for middle in _middles(middles)
    ]
    joins.sort(key=lambda join: (len(join), join))
    followers = _class(tail[-1] for tail in firsts)
    return rf"(?m)(?=[\p{{M}}{followers[1:-1]}])(?<=.)(?!(?={followers})(?:{'|'.join(joins)}))"


def _middles(middles: Iterable[str]) -> list[str]:
    """Patterns of what stands between a first character and the next one; single characters as one class."""
    single = [middle for middle in middles if len(middle) == 1]
    found = ["".join(map(_class, middle)) for middle in middles if len(middle) != 1]
    return [*found, _class(single)] if single else found


def _class(characters: Iterable[str]) -> str:
    """A character class, by ranges."""
    points = sorted({ord(character) for character in characters})
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "[" + "".join(f"\\x{{{a:X}}}" + (f"-\\x{{{b:X}}}" if b > a else "") for a, b in ranges) + "]"
