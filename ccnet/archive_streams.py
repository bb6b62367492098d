"""The bytes of an archive, inflated member by member: plain, gzip or zstandard.

A broken member is one Fault, and reading goes on at the next place that looks like a member's beginning.  What one
read gives out is bounded however far a member inflates.
"""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import zstandard

CHUNK_BYTES = 1 << 16  # measured: 256 KiB copies more of what follows a member
GZIP_MAGIC = b"\x1f\x8b"
GZIP_MEMBER = b"\x1f\x8b\x08"
ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
ZSTD_DICTIONARY = b"\x5d\x2a\x4d\x18"  # .warc.zst: the first frame may hold the dictionary of all others
ZSTD_SLICE_BYTES = 1 << 10  # of input at a time: it inflates to 32 MiB at most
MAX_DICTIONARY_BYTES = 64 << 20
MAX_WINDOW_BYTES = 128 << 20
MAGIC_BYTES = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read as a record; `offset` is where to look in the file."""

    reason: str
    offset: int = 0


class PlainReader:
    """An uncompressed file."""

    starts_member = False
    read_at = 0

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = 0

    def read(self) -> bytes | Fault:
        """The next bytes; b"" at the end."""
        data = self._file.read(CHUNK_BYTES)
        self._end += len(data)
        return data

    def place(self, start: int, buffered: int) -> int:
        """Where in the file the last `buffered` bytes that were read begin."""
        return self._end - buffered


class MemberReader(ABC):
    """A compressed file of many members."""

    bad = truncated = ""
    magic = b""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending = b""  # compressed bytes not yet used
        self._end = 0  # of the pending bytes in the file
        self._inside = False
        self._ended = False
        self._untouched = True  # nothing of the member was given out
        self._member_at = 0
        self.read_at = 0  # where in the file the member begins that gave the bytes read last
        self.starts_member = False  # whether the bytes read last are the first of a member

    def read(self) -> bytes | Fault:
        """The next inflated bytes, a bounded number; b"" at the end."""
        while True:
            if not self._pending and not self._fill():
                return self._at_end()
            try:
                out = self._inflate()
            except ValueError:
                return self._skip_to_next_member()
            if out:
                return out

    def place(self, start: int, buffered: int) -> int:
        """`start`, the member from which the file can be read on."""
        return start

    @abstractmethod
    def _inflate(self) -> bytes:
        """Inflate some of the pending bytes.  Raises ValueError where they are broken."""

    def _given(self, out: bytes, rest: bytes, ended: bool) -> bytes:
        """Note what one step gave, and what it left of the pending bytes."""
        self.starts_member, self.read_at = self._untouched, self._member_at
        self._inside = True
        self._untouched = self._untouched and not out
        self._pending = rest
        if ended:
            self._new_member()
        return out

    def _new_member(self) -> None:
        self._inside = False
        self._untouched = True
        self._member_at = self._end - len(self._pending)

    def _fill(self) -> bool:
        self._pending = self._file.read(CHUNK_BYTES)
        self._end += len(self._pending)
        return bool(self._pending)

    def _at_end(self) -> bytes | Fault:
        if self._inside and not self._ended:
            self._ended = True
            return Fault(self.truncated, self._member_at)
        return b""

    def _skip_to_next_member(self) -> Fault:
        """Go to the next place that looks like a member's beginning, after the current one."""
        fault = Fault(self.bad, self._member_at)
        rest = self._pending[1:]
        while (at := rest.find(self.magic)) < 0:
            if not self._fill():
                rest, at = b"", 0
                break
            rest = rest[-len(self.magic) + 1 :] + self._pending
        self._pending = rest[at:]
        self._new_member()
        return fault


class GzipReader(MemberReader):
    """A gzip file of many members."""

    bad, truncated, magic = "bad_gzip", "truncated_gzip", GZIP_MEMBER

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._member = zlib.decompressobj(31)

    def _inflate(self) -> bytes:
        try:
            out = self._member.decompress(self._pending, CHUNK_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        ended = self._member.eof
        return self._given(
            out, self._member.unused_data.lstrip(b"\0") if ended else self._member.unconsumed_tail, ended
        )

    def _new_member(self) -> None:
        super()._new_member()
        self._member = zlib.decompressobj(31)


class ZstdReader(MemberReader):
    """A zstandard file of many frames, with the dictionary that its first frame may hold (.warc.zst 1.0)."""

    bad, truncated, magic = "bad_zstd", "truncated_zstd", ZSTD_FRAME

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._decoder = _zstd_decoder(_zstd_dictionary(file))
        self._end = self._member_at = file.tell()
        self._member = self._decoder.decompressobj()

    def _inflate(self) -> bytes:
        import zstandard

        piece, rest = self._pending[:ZSTD_SLICE_BYTES], self._pending[ZSTD_SLICE_BYTES:]
        try:
            out = self._member.decompress(piece)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        return self._given(out, self._member.unused_data + rest, self._member.eof)

    def _new_member(self) -> None:
        super()._new_member()
        self._member = self._decoder.decompressobj()


def open_archive(file: BinaryIO) -> PlainReader | MemberReader | None:
    """A reader of the file by its first bytes; None where it is no archive."""
    magic = file.read(MAGIC_BYTES)
    file.seek(0)
    if magic.startswith(GZIP_MAGIC):
        return GzipReader(file)
    if is_zstd(magic):
        return ZstdReader(file)
    return PlainReader(file) if magic.startswith(b"WA") or not magic.strip() else None


def is_zstd(magic: bytes) -> bool:
    """Whether a file that begins so is zstandard."""
    return magic.startswith((ZSTD_FRAME, ZSTD_DICTIONARY))


def _zstd_decoder(dictionary: bytes) -> zstandard.ZstdDecompressor:
    import zstandard

    plain = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    if not dictionary:
        return plain
    try:
        known = zstandard.ZstdCompressionDict(dictionary)
        decoder = zstandard.ZstdDecompressor(dict_data=known, max_window_size=MAX_WINDOW_BYTES)
        decoder.decompressobj()  # the dictionary is read here
    except zstandard.ZstdError:
        return plain  # to which the frames are broken, each of its own
    return decoder


def _zstd_dictionary(file: BinaryIO) -> bytes:
    """The dictionary in the file's first frame, which may be compressed itself; b"" where there is none, and the
    file stands where it stood."""
    import zstandard

    head = file.read(8)
    if not head.startswith(ZSTD_DICTIONARY) or len(head) < 8:
        file.seek(-len(head), 1)
        return b""
    [size] = struct.unpack("<I", head[4:])
    data = file.read(min(size, MAX_DICTIONARY_BYTES))
    if not data.startswith(ZSTD_FRAME):
        return data
    try:  # read as a stream, whatever size its frame states
        with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(data) as reader:
            return bytes(reader.read(MAX_DICTIONARY_BYTES))
    except zstandard.ZstdError:
        return b""
