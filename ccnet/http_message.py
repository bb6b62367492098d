"""The HTTP response inside a WARC response record: status, headers, decoded body."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`payload` is the body as recorded (what the payload digest covers); headers by lower-case name."""

    status: int
    headers: dict[str, str]
    payload: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def body(self) -> bytes | None:
        """The body with chunks joined and compression undone; None where it cannot be undone."""
        return _decompress(self.joined(), self.headers.get("content-encoding", "").lower().strip())

    def joined(self) -> bytes:
        """The payload without its chunks' lengths, still compressed."""
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return _join_chunks(self.payload) if chunked else self.payload


def parse_response(block: bytes) -> HttpResponse | None:
    """The response in a record's block; None where it is no HTTP."""
    head, found, payload = block.partition(b"\r\n\r\n")
    if not found:
        head, found, payload = block.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isascii() and words[1].isdigit()):
        return None
    pairs = (line.partition(":") for line in lines[1:])
    return HttpResponse(int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}, payload)


def _join_chunks(data: bytes) -> bytes:
    """Chunks joined; data that is not chunked after all (Common Crawl joins them itself) is given back."""
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = data.find(b"\r\n", at, at + 64)
        if line_end < 0:
            return data if not parts else b"".join(parts)
        try:
            size = int(data[at:line_end].split(b";")[0], 16)
        except ValueError:
            return data if not parts else b"".join(parts)
        if size == 0:
            return b"".join(parts)
        parts.append(data[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


def _decompress(data: bytes, encoding: str) -> bytes | None:
    """At most MAX_BODY_BYTES of it: a decompression bomb is cut."""
    if encoding in ("", "identity", "utf-8"):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    for bits in (31, 15, -15):
        try:
            return zlib.decompressobj(bits).decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            continue
    return data if b"<" in data[:1024] else None  # header left behind by a crawler that decoded it
