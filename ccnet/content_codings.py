"""Undo the codings of an HTTP body (RFC 9110 section 8.4), in bounded memory.

A recorder often decodes a body and leaves Content-Encoding in the headers, so a body that is plain text although its
coding is named is taken as it is.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Sequence

MAX_BODY_BYTES = 16 << 20  # more than Common Crawl records of a page; a decompression bomb is cut there
MAX_CODINGS = 4
MAX_MEMBERS = 1000  # of one gzip body
MAX_WINDOW_BYTES = 8 << 20  # RFC 9659: what a zstd frame on the web may ask for
SLICE_BYTES = 1 << 14  # decompressed at a time: what follows a gzip member is copied when it ends
LOOKED_AT_BYTES = 1024
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # MIME Sniffing standard: no text has such a byte
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
NOTHING = frozenset({"", "identity", "none", "utf-8", "8bit", "binary", "chunked"})
GZIP = frozenset({"gzip", "x-gzip"})
GZIP_MAGIC = b"\x1f\x8b"


def undo_codings(data: bytes, codings: Sequence[str]) -> bytes | None:
    """At most MAX_BODY_BYTES of the body without its codings, the last of which is undone first; None where one
    cannot be undone."""
    named = [coding for coding in (coding.strip().lower() for coding in codings) if coding not in NOTHING]
    if len(named) > MAX_CODINGS:
        return None
    for coding in reversed(named):
        found = _undo(data, coding)
        if found is None:
            return None
        data = found
    return data


def is_text(data: bytes) -> bool:
    """Whether the first kilobyte has no byte that no text has; UTF-16 is told by its byte order mark."""
    return bool(data) and (data.startswith(UTF16_MARKS) or not BINARY.search(data, 0, LOOKED_AT_BYTES))


def _undo(data: bytes, coding: str) -> bytes | None:
    if not data:
        return data
    if coding in GZIP and data.startswith(GZIP_MAGIC):
        return _gunzip(data)
    if coding == "zstd" and data.startswith(b"\x28\xb5\x2f\xfd"):
        return _unzstd(data)
    if is_text(data):
        return data  # decoded already; or a coding that we do not know and that changes no text
    if coding == "deflate" or coding in GZIP:
        return _inflate(data)
    return _unbrotli(data) if coding == "br" else None


def _gunzip(data: bytes) -> bytes | None:
    """All members; what follows the last one is passed over."""
    out: list[bytes] = []
    at, room = 0, MAX_BODY_BYTES
    for _ in range(MAX_MEMBERS):
        if room <= 0 or data[at : at + 2] != GZIP_MAGIC:
            break
        member = zlib.decompressobj(31)
        while not member.eof and room > 0 and at < len(data):
            piece = data[at : at + SLICE_BYTES]
            try:
                out.append(member.decompress(piece, room))
            except zlib.error:
                return None if len(out) == 0 else b"".join(out)
            room -= len(out[-1])
            at += len(piece) - len(member.unused_data) - len(member.unconsumed_tail)
    return b"".join(out)


def _inflate(data: bytes) -> bytes | None:
    """Both forms that servers send under `deflate`: with zlib's header, and raw."""
    for bits in (15, -15):
        try:
            return zlib.decompressobj(bits).decompress(data, MAX_BODY_BYTES)
        except zlib.error:
            continue
    return None


def _unbrotli(data: bytes) -> bytes | None:
    import brotli

    decoder = brotli.Decompressor()
    try:
        out = [decoder.process(data, output_buffer_limit=MAX_BODY_BYTES)]
        while out[-1] and not decoder.is_finished() and sum(map(len, out)) < MAX_BODY_BYTES:
            out.append(decoder.process(b"", output_buffer_limit=MAX_BODY_BYTES))
    except brotli.error:
        return None
    return b"".join(out)[:MAX_BODY_BYTES]


def _unzstd(data: bytes) -> bytes | None:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    try:
        with decoder.stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
            return bytes(reader.read(MAX_BODY_BYTES))
    except zstandard.ZstdError:
        return None
