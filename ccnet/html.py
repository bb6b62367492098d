"""A page's bytes to title and lines of visible text.

Like Common Crawl's WET, all visible text is kept, menus too: paragraph deduplication is what removes boilerplate in
CCNet.  Charset order: byte order mark, HTTP header, <meta>, then detection; a declared charset that does not fit
gives way to detection.
"""

from __future__ import annotations

import codecs
import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLTree

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
META_BYTES = 2048  # HTML standard: a page's first kilobyte or so declares it
MAX_REPLACED_FRACTION = 0.01  # ours: more undecodable characters than that and the declaration is not believed


def decode_html(payload: bytes, content_type: str = "") -> str | None:
    """The page as text, or None where no charset fits."""
    for mark, name in BOMS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(name, "replace")
    for declared in _declared(payload, content_type):
        text = _decode(payload, declared)
        if text is not None:
            return text
    return _decode(payload, detect_encoding(payload)) or _decode(payload, "utf-8")


def extract_text(html: str) -> tuple[str, list[str]]:
    """title and non-empty stripped lines of the visible text.  NUL characters are removed."""
    tree = HTMLTree.parse(html.replace("\0", ""))
    text = extract_plain_text(tree, preserve_formatting=True, list_bullets=False, alt_texts=False)
    lines = (line.strip() for line in text.splitlines())
    title = " ".join((tree.title or "").split())
    return title, [line for line in lines if line]


def _declared(payload: bytes, content_type: str) -> list[str]:
    found = CHARSET.search(content_type)
    names = [found.group(1)] if found else []
    meta = META_CHARSET.search(payload, 0, META_BYTES)
    return names + ([meta.group(1).decode("ascii", "replace")] if meta else [])


def _decode(payload: bytes, charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        # The HTML standard reads e.g. iso-8859-1 as windows-1252, gb2312 as gbk.
        text = payload.decode(map_encoding_to_html5(charset, fallback_utf8=False) or charset, "replace")
    except LookupError:
        return None
    return text if text.count("\ufffd") <= MAX_REPLACED_FRACTION * len(text) else None
