"""Numbers that say how a document is written, as columns: the repetition and symbol heuristics of published filters.

Sources: Gopher (Rae et al., 2021, appendix A), C4 (Raffel et al., 2020, section 2.2).  They hold for any script.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ccnet.languages import LANGUAGES

SIGNALS = pa.schema(
    [
        ("words", pa.int32()),  # parted by spaces; characters in scripts that have none
        ("mean_word_length", pa.float32()),  # characters
        ("symbol_ratio", pa.float32()),  # characters that are no letter, mark, digit or space
        ("digit_ratio", pa.float32()),
        ("repeated_ngrams", pa.float32()),  # share of five-word windows that the document had before
        ("ended_lines", pa.float32()),  # share of lines that end with a sentence's mark
    ]
)
WINDOW = 5
UNSPACED = frozenset({"Hans", "Hant", "Jpan", "Thai", "Khmr", "Laoo", "Mymr"})
ENDS = tuple(".!?…。！？؟۔।॥៕։\"'”’»」』)")
LETTER, DIGIT, SPACE, SYMBOL = range(4)


def add_signals(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch of documents with the columns SIGNALS."""
    texts, languages = batch.column("text").to_pylist(), batch.column("language").to_pylist()
    rows = [signals(text, language) for text, language in zip(texts, languages, strict=True)]
    added = pa.RecordBatch.from_pylist(rows, schema=SIGNALS)
    return pa.RecordBatch.from_arrays([*batch.columns, *added.columns], schema=pa.schema([*batch.schema, *SIGNALS]))


def signals(text: str, language: str) -> dict[str, float]:
    """The values of one document, by the names of SIGNALS."""
    kinds = np.bincount(_kinds()[np.frombuffer(text.encode("utf-32-le", "replace"), "<u4")], minlength=4)
    words = words_of(text, language)
    windows = list(zip(*(words[at:] for at in range(WINDOW)), strict=False))
    lines = [line for line in text.split("\n") if line]
    size = max(len(text), 1)
    return {
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / max(len(words), 1),
        "symbol_ratio": float(kinds[SYMBOL]) / size,
        "digit_ratio": float(kinds[DIGIT]) / size,
        "repeated_ngrams": 1 - len(set(windows)) / len(windows) if windows else 0.0,
        "ended_lines": sum(line.endswith(ENDS) for line in lines) / max(len(lines), 1),
    }


def words_of(text: str, language: str) -> list[str]:
    """Words parted by spaces; of a script that has none, characters."""
    if language in LANGUAGES and LANGUAGES[language].script in UNSPACED:
        return [character for character in text if not character.isspace()]
    return text.split()


@cache
def _kinds() -> NDArray[np.uint8]:
    """code point -> LETTER, DIGIT, SPACE or SYMBOL."""
    kinds = {"L": LETTER, "M": LETTER, "N": DIGIT, "Z": SPACE}
    found = np.full(sys.maxunicode + 1, SYMBOL, np.uint8)
    for code in range(0x30000):
        character = chr(code)
        found[code] = SPACE if character.isspace() else kinds.get(unicodedata.category(character)[0], SYMBOL)
    return found
