"""Records out of WARC and WET files, one after another, whatever else in the file is broken.

A file is read as a stream of gzip members (or plain).  Where a member or a record is broken, one Fault is given and
reading goes on at the next member or record that begins, so one bad record costs one record; a record that says that
it is longer than it is ends where the next member begins with a record.  Memory is bounded by
`max_record_bytes` however far a member inflates.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

GZIP_MAGIC = b"\x1f\x8b"
GZIP_MEMBER = b"\x1f\x8b\x08"
CHUNK_BYTES = 1 << 18
MAX_HEADER_BYTES = 1 << 16
MAX_RECORD_BYTES = 16 << 20  # Common Crawl cuts bodies at 1 MiB, since 2025 at 5 MiB
VERSION = re.compile(rb"WARC/\d")
NEXT_RECORD = re.compile(rb"(?:^|\n)(?=WARC/\d\.\d+\r?\n)")
BETWEEN_RECORDS = re.compile(rb"[\r\n \t]+")
HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Record:
    """One WARC record: its headers by lower-case name, and its block."""

    type: str
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read as a record."""

    reason: str


def read_records(path: Path, max_record_bytes: int = MAX_RECORD_BYTES) -> Iterator[Record | Fault]:
    """All records and faults of a file, in order.  Reasons: bad_gzip, truncated_gzip, bad_record,
    truncated_record, too_large, not_an_archive."""
    with path.open("rb") as file:
        magic = file.read(len(GZIP_MAGIC))
        file.seek(0)
        if magic == GZIP_MAGIC:
            source: Inflater | PlainReader = Inflater(file)
        elif magic == b"WA" or not magic.strip():
            source = PlainReader(file)
        else:
            yield Fault("not_an_archive")
            return
        yield from _parse(source, max_record_bytes)


class PlainReader:
    """An uncompressed file."""

    starts_member = False

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def read(self) -> bytes | Fault:
        """The next bytes; b"" at the end."""
        return self.file.read(CHUNK_BYTES)


class Inflater:
    """A gzip file of many members; a broken member is a Fault and reading goes on at the next one."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.pending = b""  # compressed bytes not yet used
        self.member = zlib.decompressobj(31)
        self.inside = False
        self.ended = False
        self.untouched = True  # nothing of the member was given out
        self.starts_member = False  # whether the bytes read last are the first of a member

    def read(self) -> bytes | Fault:
        """The next inflated bytes (at most CHUNK_BYTES); b"" at the end."""
        while True:
            if not self.pending and not self._fill():
                return self._at_end()
            try:
                out = self.member.decompress(self.pending, CHUNK_BYTES)
            except zlib.error:
                self._skip_to_next_member()
                return Fault("bad_gzip")
            self.inside = True
            starts_member = self.untouched
            self.untouched = starts_member and not out
            if self.member.eof:
                self.pending = self.member.unused_data.lstrip(b"\0")
                self._new_member()
            else:
                self.pending = self.member.unconsumed_tail
            if out:
                self.starts_member = starts_member
                return out

    def _fill(self) -> bool:
        self.pending = self.file.read(CHUNK_BYTES)
        return bool(self.pending)

    def _at_end(self) -> bytes | Fault:
        if self.inside and not self.ended:
            self.ended = True
            return Fault("truncated_gzip")
        return b""

    def _new_member(self) -> None:
        self.member = zlib.decompressobj(31)
        self.inside = False
        self.untouched = True

    def _skip_to_next_member(self) -> None:
        """Go to the next place that looks like a member's beginning, after the current one."""
        self._new_member()
        rest = self.pending[1:]
        while True:
            at = rest.find(GZIP_MEMBER)
            if at >= 0:
                self.pending = rest[at:]
                return
            more = self.file.read(CHUNK_BYTES)
            if not more:
                self.pending = b""
                return
            rest = rest[-len(GZIP_MEMBER) + 1 :] + more


def _parse(source: Inflater | PlainReader, max_record_bytes: int) -> Iterator[Record | Fault]:
    buffer = bytearray()
    ended = False
    resuming = False  # after a fault: the next record is searched for, silently
    while not ended or buffer.strip():
        found = None if resuming and not _resume(buffer) else _take(buffer, max_record_bytes)
        if found is not None:
            yield found
            resuming = isinstance(found, Fault)
            continue
        if ended:
            if not resuming:
                yield Fault("truncated_record")
            return
        data = source.read()
        if isinstance(data, Fault):
            yield data
            buffer.clear()
            resuming = True
        elif not data:
            ended = True
        else:
            resuming = resuming and not _resume(buffer)
            if source.starts_member and VERSION.match(data) and buffer.strip() and not resuming:
                yield Fault("truncated_record")  # it says that it is longer than it is
                buffer.clear()
            buffer += data
            if len(buffer) > 2 * (max_record_bytes + MAX_HEADER_BYTES):
                yield Fault("too_large")
                yield from _skip_large(source, buffer)
                resuming = True


def _resume(buffer: bytearray) -> bool:
    """Cut the buffer at the next record's beginning; keep a short end where none is seen yet."""
    found = NEXT_RECORD.search(buffer)
    if found:
        del buffer[: found.end()]
        return True
    del buffer[: max(0, len(buffer) - 16)]
    return False


def _skip_large(source: Inflater | PlainReader, buffer: bytearray) -> Iterator[Fault]:
    """Drop the rest of a record that is too large, as far as its length says."""
    head = HEADER_END.search(buffer)
    headers = _headers(bytes(buffer[: head.start()])) if head else {}
    left = (head.end() if head else 0) + _length(headers) - len(buffer)
    buffer.clear()
    while left > 0:
        data = source.read()
        if isinstance(data, Fault):
            yield data
            return
        if not data:
            return
        buffer[:] = data[left:]
        left -= len(data)


def _take(buffer: bytearray, max_record_bytes: int) -> Record | Fault | None:
    """The record at the buffer's beginning, cut off from it; None where more bytes are needed."""
    if (before := BETWEEN_RECORDS.match(buffer)) is not None:
        del buffer[: before.end()]
    if len(buffer) < 16:
        return None
    if not VERSION.match(buffer):
        return Fault("bad_record")
    head = HEADER_END.search(buffer, 0, MAX_HEADER_BYTES)
    if head is None:
        if len(buffer) < MAX_HEADER_BYTES:
            return None
        del buffer[:1]
        return Fault("bad_record")
    headers = _headers(bytes(buffer[: head.start()]))
    length = _length(headers)
    if length < 0 or not headers.get("warc-type"):
        del buffer[: head.end()]
        return Fault("bad_record")
    end = head.end() + length
    if len(buffer) < end:
        return None
    with memoryview(buffer) as view:
        content = bytes(view[head.end() : end])
    del buffer[:end]
    if length > max_record_bytes:
        return Fault("too_large")
    return Record(headers["warc-type"].lower(), headers, content)


def _headers(head: bytes) -> dict[str, str]:
    """Header lines by lower-case name; a folded line continues the one before."""
    headers: dict[str, str] = {}
    name = ""
    for line in head.decode("utf-8", "replace").splitlines()[1:]:
        if line[:1] in " \t" and name:
            headers[name] += " " + line.strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = value.strip()
    return headers


def _length(headers: dict[str, str]) -> int:
    """Content-Length in bytes, or -1 where it is missing or no number."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
