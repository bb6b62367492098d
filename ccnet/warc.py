"""Records out of WARC and WET files, one after another, whatever else in the file is broken.

A file is read as a stream of gzip members or zstandard frames (or plain).  Where a member or a record is broken, one
Fault is given and reading goes on at the next member or record that begins, so one bad record costs one record; a
record that says that it is longer than it is ends where the next member begins with a record.  Memory is bounded by
`max_record_bytes` however far a member inflates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ccnet.archive_streams import Fault, MemberReader, PlainReader, open_archive
from ccnet.header_lines import find_empty_line, split_head

MAX_HEADER_BYTES = 1 << 16
MAX_RECORD_BYTES = 16 << 20  # Common Crawl cuts bodies at 1 MiB, since 2025 at 5 MiB
VERSION = re.compile(rb"WARC/\d")
VERSION_LINE = re.compile(rb"WARC/\d\.\d+\r?\n")
BETWEEN_RECORDS = re.compile(rb"[\r\n \t]+")

__all__ = ["Fault", "Record", "read_records"]


@dataclass(frozen=True, slots=True)
class Record:
    """One WARC record: its headers by lower-case name, and its block; `offset` is where to look in the file."""

    type: str
    headers: dict[str, str]
    content: bytes
    offset: int = 0


def read_records(path: Path, max_record_bytes: int = MAX_RECORD_BYTES) -> Iterator[Record | Fault]:
    """All records and faults of a file, in order.  Reasons: bad_gzip, truncated_gzip, bad_zstd, truncated_zstd,
    bad_record, truncated_record, too_large, not_an_archive."""
    with path.open("rb") as file:
        source = open_archive(file)
        if source is None:
            yield Fault("not_an_archive")
            return
        yield from _parse(source, max_record_bytes)


def _parse(source: MemberReader | PlainReader, max_record_bytes: int) -> Iterator[Record | Fault]:
    buffer = bytearray()
    start = 0  # where in the file the buffer's first member begins
    ended = False
    resuming = False  # after a fault: the next record is searched for, silently
    while not ended or buffer.strip():
        ready = not resuming or _resume(buffer)
        if ready and (before := BETWEEN_RECORDS.match(buffer)) is not None:
            del buffer[: before.end()]
        place = source.place(start, len(buffer))
        found = _take(buffer, max_record_bytes, place) if ready else None
        if found is not None:
            yield found
            resuming = isinstance(found, Fault)
            continue
        if ended:
            if not resuming:
                yield Fault("truncated_record", place)
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
                yield Fault("truncated_record", place)  # it says that it is longer than it is
                buffer.clear()
            if not buffer:
                start = source.read_at
            buffer += data
            if len(buffer) > 2 * (max_record_bytes + MAX_HEADER_BYTES):
                yield Fault("too_large", place)
                yield from _skip_large(source, buffer)
                resuming = True


def _resume(buffer: bytearray) -> bool:
    """Cut the buffer at the next record's beginning; keep a short end where none is seen yet."""
    at = buffer.find(b"WARC/")
    while at >= 0:
        if (at == 0 or buffer[at - 1] == ord("\n")) and VERSION_LINE.match(buffer, at):
            del buffer[:at]
            return True
        at = buffer.find(b"WARC/", at + 1)
    del buffer[: max(0, len(buffer) - 16)]
    return False


def _skip_large(source: MemberReader | PlainReader, buffer: bytearray) -> Iterator[Fault]:
    """Drop the rest of a record that is too large, as far as its length says."""
    head = find_empty_line(buffer, MAX_HEADER_BYTES)
    headers = _headers(bytes(buffer[: head[0]])) if head else {}
    left = (head[1] if head else 0) + _length(headers) - len(buffer)
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


def _take(buffer: bytearray, max_record_bytes: int, place: int) -> Record | Fault | None:
    """The record at the buffer's beginning, cut off from it; None where more bytes are needed."""
    if len(buffer) < 16:
        return None
    if not VERSION.match(buffer):
        return Fault("bad_record", place)
    head = find_empty_line(buffer, MAX_HEADER_BYTES)
    if head is None:
        if len(buffer) < MAX_HEADER_BYTES:
            return None
        del buffer[:1]
        return Fault("bad_record", place)
    headers = _headers(bytes(buffer[: head[0]]))
    length = _length(headers)
    if length < 0 or not headers.get("warc-type"):
        del buffer[: head[1]]
        return Fault("bad_record", place)
    end = head[1] + length
    if len(buffer) < end:
        return None
    with memoryview(buffer) as view:
        content = bytes(view[head[1] : end])
    del buffer[:end]
    if length > max_record_bytes:
        return Fault("too_large", place)
    return Record(headers["warc-type"].lower(), headers, content, place)


def _headers(head: bytes) -> dict[str, str]:
    """By lower-case name; of repeated ones the last."""
    return dict(split_head(head, "utf-8")[1])


def _length(headers: dict[str, str]) -> int:
    """Content-Length in bytes, or -1 where it is missing or no number."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
