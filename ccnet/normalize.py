"""CCNet's two text normalisations, bit for bit, over many documents at once: one table lookup a code point.

Both lower the case and turn decimal digits into 0.  For deduplication 34 typographic marks and control characters
are then deleted (ASCII punctuation, spaces and accents stay).  For the language model accents go first (the result
stays decomposed), and the marks become ASCII.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

# CCNet's table.  Full-width one really becomes a quotation mark there, but digits are replaced before it is asked.
PUNCTUATION = {
    "，": ",", "。": ".", "、": ",", "„": '"', "”": '"', "“": '"', "«": '"', "»": '"', "１": '"', "」": '"', "「": '"',
    "《": '"', "》": '"', "´": "'", "∶": ":", "：": ":", "？": "?", "！": "!", "（": "(", "）": ")", "；": ";",
    "–": "-", "—": " - ", "．": ". ", "～": "~", "’": "'", "…": "...", "━": "-", "〈": "<", "〉": ">", "【": "[",
    "】": "]", "％": "%", "►": "-",
}  # fmt: skip


def _is_control(code: int) -> bool:
    return code <= 0x1F or 0x7F <= code <= 0x9F


CodePoints = NDArray[np.uint32]
DELETED = 0xFFFFFFFF  # no code point
SOUGHT = (range(0x20000), range(0xE0000, 0xE1000))  # planes that hold digits, marks and controls
EXPANDED = {mark: text for mark, text in PUNCTUATION.items() if len(text) > 1}


@cache
def dedup_table() -> CodePoints:
    """What deduplication makes of each code point of lowered text; newlines stay, so that lines stay lines."""
    return _table(lambda c: c in PUNCTUATION or (_is_control(ord(c)) and c != "\n"), lambda c: c)


@cache
def _language_model_table() -> CodePoints:
    """Deletes newlines too: CCNet's lines are glued together, and its cut-offs only hold so."""
    return _table(
        lambda c: unicodedata.category(c) == "Mn" or _is_control(ord(c)),
        lambda c: PUNCTUATION.get(c, c) if c not in EXPANDED else c,
    )


def _table(is_deleted: Callable[[str], bool], becomes: Callable[[str], str]) -> CodePoints:
    """What each code point becomes; decimal digits become 0 before anything else is asked."""
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    characters = list(map(chr, chain(*SOUGHT)))
    changed = {character: DELETED for character in characters if is_deleted(character)}
    changed |= {mark: ord(becomes(mark)) for mark in PUNCTUATION if mark not in changed}
    changed |= dict.fromkeys(filter(str.isdecimal, characters), ord("0"))
    table[[*map(ord, changed)]] = [*changed.values()]
    return table


def normalize_for_dedup(texts: Sequence[str]) -> list[bytes]:
    """The normalised lines of documents of stripped lines, one after another, as UTF-8."""
    mapped = dedup_table()[_code_points("\n".join(texts).lower())]
    return _text(mapped[mapped != DELETED]).encode("utf-8", "surrogatepass").split(b"\n")


def normalize_for_language_model(texts: Sequence[str]) -> list[str]:
    """Each document as one line, decomposed (NFD) without accents."""
    decomposed = [_decompose(text.strip().lower()) for text in texts]
    mapped = _language_model_table()[_code_points("".join(decomposed))]
    kept = mapped != DELETED
    line = _text(mapped[kept])
    before = np.concatenate([[0], np.cumsum(kept)])
    ends = before[list(accumulate(map(len, decomposed), initial=0))].tolist()
    return [line[start:end] for start, end in pairwise(ends)]


def _decompose(text: str) -> str:
    if text.isascii():
        return text
    text = unicodedata.normalize("NFD", text)
    for mark, ascii_marks in EXPANDED.items():
        text = text.replace(mark, ascii_marks)
    return text


def _code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _text(codes: CodePoints) -> str:
    return codes.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")
