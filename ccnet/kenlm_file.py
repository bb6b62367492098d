"""What KenLM itself does not check of its binary file: that the list of words at its end is whole.

KenLM maps the file as far as the n-grams reach and leaves the words alone, so a copy that was cut among them is opened
without a word.  Format: kpu/kenlm, lm/binary_format.cc, version 5.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

MAGIC = b"mmap lm http://kheafield.com/code"
PARAMETERS = struct.Struct("<B3xfi?3xI")  # order, probing multiplier, kind of model, whether words follow, version
PARAMETERS_AT = 88  # after what tells the byte order and the sizes of types
COUNTS_AT = PARAMETERS_AT + PARAMETERS.size
FIRST_WORD = b"<unk>\0"


def words_fault(path: Path) -> str:
    """What is wrong with the list of words, in a few words; "" where it is whole, or where the model has none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if len(data) < COUNTS_AT + 8:
            return "its header is cut"
        *_, has_words, _ = PARAMETERS.unpack_from(data, PARAMETERS_AT)
        if not has_words:
            return ""
        [words] = struct.unpack_from("<Q", data, COUNTS_AT)
        end = len(data)
        while (end := data.rfind(FIRST_WORD, 0, end)) >= 0:  # other words may end so, or other numbers look so
            found = data[end:].count(b"\0")
            if found >= words:
                return "" if found == words and data[len(data) - 1] == 0 else f"it has more than {words} words"
        return f"its list of {words} words is cut"
