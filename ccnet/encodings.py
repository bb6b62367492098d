"""Bytes to text by the WHATWG Encoding standard: its labels (webencodings), and its decoders from Python's codecs.

Python's codecs are older than the standard's tables; where they lack a character or map it otherwise, it is mended
here.  Not mended: 154 rare characters of Big5, half of them added by HKSCS-2008, and one of JIS X 0212.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import lru_cache

from webencodings.labels import LABELS

CODECS = {  # name of the standard -> codec, and what is done with bytes that it does not know
    "utf-16le": ("utf-16-le", "replace"),
    "utf-16be": ("utf-16-be", "replace"),
    "shift_jis": ("cp932", "ccnet.pairs"),
    "euc-jp": ("euc_jp", "ccnet.euc-jp"),
    "euc-kr": ("cp949", "ccnet.pairs"),
    "big5": ("big5hkscs", "ccnet.big5"),
    "gbk": ("gb18030", "ccnet.gb18030"),
    "gb18030": ("gb18030", "ccnet.gb18030"),
    "iso-8859-8-i": ("iso8859-8", "ccnet.bytes"),
    "macintosh": ("mac-roman", "ccnet.bytes"),
    "x-mac-cyrillic": ("mac-cyrillic", "ccnet.bytes"),
    "windows-874": ("cp874", "ccnet.bytes"),
    "ibm866": ("cp866", "ccnet.bytes"),
    "windows-1255": ("windows-1255", "ccnet.windows-1255"),
}
REPLACEMENT = "\ufffd"
USER_DEFINED = "".join(chr(byte if byte < 0x80 else byte + 0xF700) for byte in range(256))
MENDED = {  # what Python's codec says -> what the standard says, for every character that only differs so
    "euc-jp": str.maketrans("〜‖−¢£¬", "～∥－￠￡￢"),
    "big5": str.maketrans("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡"),
    "koi8-u": str.maketrans("╝╬", "ўЎ"),
    "gb18030": str.maketrans(
        "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
        "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
        "\u3000︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻",
    ),
}
MENDED["gbk"] = MENDED["gb18030"]
SOUGHT = {name: re.compile(f"[{''.join(map(chr, table))}]") for name, table in MENDED.items()}
BIG5_PAIRS = {"a3e1": "€", "c6cf": "廴", "c6d3": "无", "c6d5": "癶", "c6d7": "隶", "c6de": "〃", "c6df": "仝"}
BIG5_PAIRS |= {f"a3{0xC0 + at:x}": chr(0x2400 + at) for at in range(32)} | {"a3e0": "\u2421"}
ESCAPES = re.compile(rb"\x1b(\([BJI]|\$[@B])")
HIGH = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))


@lru_cache(4096)
def find_encoding(label: str) -> str:
    """The standard's name of a label; "" where it is none, whatever Python's registry knows under it."""
    name: str = LABELS.get(label.strip("\t\n\f\r ").lower(), "")
    return name


def decode(data: bytes, name: str) -> str | None:
    """The text; bytes that stand for nothing become U+FFFD.  None for the standard's `replacement`, which reads no
    text: ISO-2022-KR, ISO-2022-CN and HZ."""
    if name == "replacement":
        return None
    if name == "x-user-defined":
        return codecs.charmap_decode(data, "replace", USER_DEFINED)[0]
    if name == "iso-2022-jp":
        return _iso_2022_jp(data)
    codec, errors = CODECS.get(name, (name, "replace" if name == "utf-8" else "ccnet.bytes"))
    text = data.decode(codec, errors)
    return text.translate(MENDED[name]) if name in MENDED and SOUGHT[name].search(text) else text


def _iso_2022_jp(data: bytes) -> str:
    """Escapes name the set that the bytes after them are of; each set is read as EUC-JP has it."""
    first, *parts = ESCAPES.split(data)
    found = [decode(first, "euc-jp") or ""]
    for escape, part in zip(parts[::2], parts[1::2], strict=True):
        if escape == b"(I":
            part = re.sub(rb"[\x21-\x5f]", lambda at: b"\x8e" + at.group().translate(HIGH), part)
        elif escape.startswith(b"$"):
            part = part.translate(HIGH)
        text = decode(part, "euc-jp") or ""
        found.append(text.translate({0x5C: "¥", 0x7E: "‾"}) if escape == b"(J" else text)
    return "".join(found)


Answer = tuple[str, int]


def _bytes(error: UnicodeDecodeError) -> Answer:
    """A byte that a single-byte codec does not know: the control of that number, where there is one."""
    byte = error.object[error.start]
    return chr(byte) if 0x80 <= byte < 0xA0 else REPLACEMENT, error.start + 1


def _windows_1255(error: UnicodeDecodeError) -> Answer:
    return ("\u05ba", error.start + 1) if error.object[error.start] == 0xCA else _bytes(error)


def _pairs(error: UnicodeDecodeError) -> Answer:
    """Two bytes that stand for nothing are one U+FFFD; an ASCII byte after the first is read of its own."""
    pair = _pair(error)
    return REPLACEMENT, error.start + (2 if len(pair) == 2 and pair[1] >= 0x80 else 1)


def _big5(error: UnicodeDecodeError) -> Answer:
    found = BIG5_PAIRS.get(_pair(error).hex())
    return (found, error.start + 2) if found else _pairs(error)


def _gb18030(error: UnicodeDecodeError) -> Answer:
    return ("€", error.start + 1) if error.object[error.start] == 0x80 else _pairs(error)


def _euc_jp(error: UnicodeDecodeError) -> Answer:
    """NEC's and IBM's characters (①, 髙), which Python's codec lacks, as Shift_JIS has them."""
    pair = _pair(error)
    if len(pair) == 2 and all(0xA1 <= byte <= 0xFE for byte in pair):
        row, cell = pair[0] - 0xA0, pair[1] - 0xA0
        lead = (row - 1) // 2 + (0x81 if row <= 62 else 0xC1)
        trail = cell + (0x9E if row % 2 == 0 else 0x3F if cell < 64 else 0x40)
        found = bytes([lead, trail]).decode("cp932", "ignore") if lead <= 0xEF else ""
        if found:
            return found, error.start + 2
    return _pairs(error)


def _pair(error: UnicodeDecodeError) -> bytes:
    return error.object[error.start : error.start + 2]


def _register(name: str, handler: Callable[[UnicodeDecodeError], Answer]) -> None:
    def handle(error: UnicodeError) -> Answer:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return handler(error)

    codecs.register_error(name, handle)


for _name, _handler in (
    ("bytes", _bytes), ("windows-1255", _windows_1255), ("pairs", _pairs), ("big5", _big5), ("gb18030", _gb18030),
    ("euc-jp", _euc_jp),
):  # fmt: skip
    _register(f"ccnet.{_name}", _handler)
