"""The HTTP response inside a WARC response record: status, headers, decoded body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ccnet.content_codings import undo_codings
from ccnet.header_lines import find_empty_line, split_head

MAX_HEAD_BYTES = 1 << 18
MAX_INTERIM = 16  # answers such as 103 Early Hints before the final one
SWITCHING_PROTOCOLS = 101
CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1024})?\r?\n")
LINE_END = re.compile(rb"\r?\n")
ESSENCE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
CHARSET = re.compile(r""";\s*charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
OUTSIDE_QUOTES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
MAX_MEDIA_TYPE = 512  # characters of a Content-Type that are read


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`payload` is the body as recorded (what the payload digest covers); headers by lower-case name, the values of
    repeated ones joined by commas."""

    status: int
    headers: dict[str, str]
    payload: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")[:MAX_MEDIA_TYPE]

    def body(self) -> bytes | None:
        """The body with chunks joined and codings undone; None where they cannot be undone."""
        named = [self.headers.get(name, "") for name in ("content-encoding", "transfer-encoding")]
        return undo_codings(self.joined(), ",".join(named).split(",")) if any(named) else self.payload

    def joined(self) -> bytes:
        """The payload without its chunks' lengths, still compressed."""
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return _join_chunks(self.payload) if chunked else self.payload


def parse_response(block: bytes) -> HttpResponse | None:
    """The final response in a record's block, after the interim ones (RFC 9110 section 15.2); None where it is no
    HTTP."""
    response = _parse(block)
    for _ in range(MAX_INTERIM):
        if response is None or not 100 <= response.status < 200 or response.status == SWITCHING_PROTOCOLS:
            break
        following = _parse(response.payload)
        if following is None:
            break
        response = following
    return response


def _parse(block: bytes) -> HttpResponse | None:
    end = find_empty_line(block, MAX_HEAD_BYTES)
    if end is None and len(block) > MAX_HEAD_BYTES:
        return None
    head, payload = (block[: end[0]], block[end[1] :]) if end else (block, b"")
    first, pairs = split_head(head, "latin-1")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isascii() and words[1].isdigit()):
        return None
    headers = dict(pairs)
    return HttpResponse(int(words[1][:4]), headers if len(headers) == len(pairs) else _joined(pairs), payload)


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The values of repeated headers are one, parted by commas (RFC 9110 section 5.3)."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(found) for name, found in values.items()}


@lru_cache(4096)
def parse_media_type(header: str) -> tuple[str, str]:
    """Type/subtype in lower case and charset of a Content-Type, as the Fetch standard extracts them: of several
    values the last that is one, with the charset of an earlier one of the same type."""
    essence = charset = ""
    for value in OUTSIDE_QUOTES.split(header):
        kind = value.partition(";")[0].strip().lower()
        if kind == "*/*" or not ESSENCE.fullmatch(kind):
            continue
        found = CHARSET.search(value)
        charset = found.group(1) if found else charset if kind == essence else ""
        essence = kind
    return essence, charset


def _join_chunks(data: bytes) -> bytes:
    """Chunks joined; data that is not chunked after all (Common Crawl joins them itself) is given back."""
    parts: list[bytes] = []
    at = 0
    while head := CHUNK_HEAD.match(data, at):
        size = int(head.group(1), 16)
        if size == 0:
            return b"".join(parts) if parts or not data[head.end() :].strip() else data
        parts.append(data[head.end() : head.end() + size])
        at = head.end() + size
        if at >= len(data):
            return b"".join(parts)  # the record was cut inside a chunk
        ends = LINE_END.match(data, at)
        if ends is None:
            return data if len(parts) == 1 else b"".join(parts)
        at = ends.end()
    return b"".join(parts) if len(parts) > 1 or at >= len(data) > 0 else data
