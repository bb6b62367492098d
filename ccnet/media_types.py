"""Whether a body is an HTML page (MIME Sniffing standard), where the headers say so and where they say nothing."""

from __future__ import annotations

import re

from ccnet.content_codings import is_text

HTML_TYPES = ("text/html", "application/xhtml+xml")
UNKNOWN_TYPES = ("", "unknown/unknown", "application/unknown", "*/*", "no-type")
SNIFFED_BYTES = 1445  # the standard's resource header
OTHER = (  # what begins so is no page, whatever the headers call it
    b"%PDF-", b"%!PS-Adobe", b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"PK\x03\x04", b"\x1f\x8b\x08",
    b"Rar!\x1a", b"7z\xbc\xaf", b"OggS\0", b"wOFF", b"wOF2", b"{\\rtf", b"\xd0\xcf\x11\xe0", b"ID3\x03", b"ID3\x04",
    b"RIFF", b"\x7fELF", b"\0asm", b"II*\0", b"MM\0*", b"\0\0\x01\0", b"FWS", b"CWS", b"\x1aE\xdf\xa3",
)  # fmt: skip
LEADING = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*")
PAGE = re.compile(
    rb"<!--|<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link)[\s/>]",
    re.IGNORECASE,
)
LATER = re.compile(rb"<(?:!doctype html|html|head|body)[\s>]", re.IGNORECASE)  # ours: text or XML may stand before


def is_html(declared: str, body: bytes) -> bool:
    """`declared`: the media type without parameters, "" where there is none."""
    if declared in HTML_TYPES:
        return not body.startswith(OTHER)
    return declared in UNKNOWN_TYPES and not body.startswith(OTHER) and _looks_like_a_page(body[:SNIFFED_BYTES])


def _looks_like_a_page(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\0", b"")[2:]
    start = LEADING.match(head)
    if PAGE.match(head, start.end() if start else 0):
        return True
    return is_text(head) and LATER.search(head) is not None
