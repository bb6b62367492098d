"""A page's bytes to title and lines of visible text.

Like Common Crawl's WET, all visible text is kept, menus too: paragraph deduplication is what removes boilerplate in
CCNet.  Charset order is the HTML standard's: byte order mark, HTTP header, <meta> (its prescan), then detection.  Ours:
a declared charset that does not fit gives way to the next, and bytes beyond ASCII that are UTF-8 are read as UTF-8,
whatever is declared.
"""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding
from resiliparse.parse.html import HTMLTree

from ccnet.encodings import REPLACEMENT, decode, find_encoding
from ccnet.http_message import parse_media_type
from ccnet.markup_bounds import bounded

MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
META_BYTES = 1024  # HTML standard: that much is prescanned
LATE_META_BYTES = 16 << 10  # a parser changes the charset where it meets a later <meta>; we look that far
UTF16 = ("utf-16le", "utf-16be")
NOT_ASCII = (b"\0", b"\x1b", b"~{")  # UTF-16, ISO-2022 and HZ, whose bytes may all be ASCII
MAX_REPLACED_FRACTION = 0.01  # ours: more undecodable characters than that and the declaration is not believed


def decode_html(payload: bytes, content_type: str = "") -> str | None:
    """The page as text, or None where no charset fits."""
    for mark, name in MARKS:
        if payload.startswith(mark):
            return decode(payload[len(mark) :], name)
    http = find_encoding(parse_media_type(content_type)[1])
    if (http == "utf-8" or not _escapes(payload)) and (text := _strictly_utf8(payload)) is not None:
        return text if _fits(text) else None
    if (text := _believed(payload, http)) is not None:
        return text
    if (text := _believed(payload, _prescan(payload, META_BYTES))) is not None:
        return text
    return _undeclared(payload)


def extract_text(html: str) -> tuple[str, list[str]]:
    """title and non-empty stripped lines of the visible text.  NUL characters are removed."""
    tree = HTMLTree.parse(bounded(html.replace("\0", "")))
    text = extract_plain_text(tree, preserve_formatting=True, list_bullets=False, alt_texts=False)
    title = " ".join((tree.title or "").split())
    return title, [stripped for line in text.splitlines() if (stripped := line.strip())]


def _escapes(payload: bytes) -> bool:
    """Whether its bytes are all ASCII and yet may stand for other characters."""
    return payload.isascii() and any(sign in payload for sign in NOT_ASCII)


def _strictly_utf8(payload: bytes) -> str | None:
    """The text where all bytes are UTF-8: those beyond ASCII, if any, are no other charset's by chance."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _fits(text: str) -> bool:
    return text.count(REPLACEMENT) <= MAX_REPLACED_FRACTION * len(text)


def _believed(payload: bytes, name: str) -> str | None:
    """The text where the charset is one and fits."""
    if not name or (name in UTF16 and b"\0" not in payload[:META_BYTES]):
        return None  # a page in UTF-16 has markup, thus bytes of zero
    text = decode(payload, name)
    return text if text is not None and _fits(text) else None


def _prescan(payload: bytes, size: int) -> str:
    """The charset that a <meta> declares (HTML standard, "prescan a byte stream to determine its encoding")."""
    head = payload[:size]
    if b"charset" not in head.lower():
        return ""
    from tinyhtml5.inputstream import EncodingParser

    found = EncodingParser(head).get_encoding()
    name = found.name if found else ""
    if name in UTF16:
        return "utf-8"  # what could be read as ASCII is not in UTF-16
    return "windows-1252" if name == "x-user-defined" else name


def _undeclared(payload: bytes) -> str | None:
    if (text := _believed(payload, _prescan(payload, LATE_META_BYTES))) is not None:
        return text
    detected = find_encoding(detect_encoding(payload) or "")
    if detected == "replacement":
        return None
    text = _believed(payload, detected)
    return _believed(payload, "utf-8") if text is None else text
