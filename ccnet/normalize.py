"""CCNet's two text normalisations, bit for bit, as one table lookup a character.

Both lower the case and turn decimal digits into 0.  For deduplication 34 typographic marks and control characters
are then deleted (ASCII punctuation, spaces and accents stay).  For the language model accents go first (the result
stays decomposed), and the marks become ASCII.
"""

from __future__ import annotations

import unicodedata

# CCNet's table.  Full-width one really becomes a quotation mark there, but digits are replaced before it is asked.
PUNCTUATION = {
    "，": ",", "。": ".", "、": ",", "„": '"', "”": '"', "“": '"', "«": '"', "»": '"', "１": '"', "」": '"', "「": '"',
    "《": '"', "》": '"', "´": "'", "∶": ":", "：": ":", "？": "?", "！": "!", "（": "(", "）": ")", "；": ";",
    "–": "-", "—": " - ", "．": ". ", "～": "~", "’": "'", "…": "...", "━": "-", "〈": "<", "〉": ">", "【": "[",
    "】": "]", "％": "%", "►": "-",
}  # fmt: skip


def _is_control(code: int) -> bool:
    return code <= 0x1F or 0x7F <= code <= 0x9F


class _DedupTable(dict[int, str | None]):
    """Filled as characters are met; newlines stay, so that a whole document goes through at once."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        if character == "\n":
            found: str | None = "\n"
        elif character.isdecimal():
            found = "0"
        elif character in PUNCTUATION or _is_control(code):
            found = None
        else:
            found = character
        self[code] = found
        return found


class _LanguageModelTable(dict[int, str | None]):
    """Deletes newlines too: CCNet's lines are glued together, and its cut-offs only hold so."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        if unicodedata.category(character) == "Mn" or _is_control(code):
            found: str | None = None
        elif character.isdecimal():
            found = "0"
        else:
            found = PUNCTUATION.get(character, character)
        self[code] = found
        return found


_DEDUP = _DedupTable()
_LANGUAGE_MODEL = _LanguageModelTable()


def normalize_for_dedup(text: str) -> str:
    """A document of stripped lines, normalised; lines stay lines."""
    return text.lower().translate(_DEDUP)


def normalize_for_language_model(text: str) -> str:
    """A document as one line, decomposed (NFD) without accents."""
    lowered = text.strip().lower()
    if not lowered.isascii():
        lowered = unicodedata.normalize("NFD", lowered)
    return lowered.translate(_LANGUAGE_MODEL)
