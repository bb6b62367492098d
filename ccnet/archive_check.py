"""Whether a file that came is what its name says: an archive that begins with a record, and whole to its end.

A server may answer 200 with an error text or with nothing.  Every member is inflated once (its CRC checked) in
bounded memory: about 10 s for 1 GiB, some hundredths of what its download takes.
"""

from __future__ import annotations

from pathlib import Path

from ccnet.archive_streams import Fault, open_archive

GZIP_MAGIC = b"\x1f\x8b"
ARCHIVES = (".warc", ".wet", ".wat")
RECORD = b"WARC/"
TOLD_BYTES = 60


def find_fault(path: Path, name: str) -> str:
    """What is wrong with a file that was asked for as `name`, in a few words; "" where nothing is."""
    compressed = name.endswith((".gz", ".zst"))
    archive = _is_archive(name)
    with path.open("rb") as file:
        head = file.read(TOLD_BYTES)
        if not head:
            return "it has 0 bytes" if archive or compressed else ""
        if name.endswith(".gz") and not head.startswith(GZIP_MAGIC):
            return f"it begins with {_told(head)}, which is no gzip"
        file.seek(0)
        source = open_archive(file)
        if source is None or (not archive and not compressed and not head.startswith(GZIP_MAGIC)):
            return f"it begins with {_told(head)}, which is no WARC record" if archive else ""
        first = b""
        while data := source.read():
            if isinstance(data, Fault):
                return f"its compressed data does not end well ({data.reason} at byte {data.offset})"
            if len(first) < TOLD_BYTES:
                first = (first + data).lstrip()[:TOLD_BYTES]
    if archive and not first.startswith(RECORD):
        return f"what it holds begins with {_told(first)}, which is no WARC record"
    return ""


def check_archive(path: Path) -> str:
    """As `find_fault`, of a file given by hand whatever its name is: its beginning alone is read, since an archive
    that was cut is read as far as it goes."""
    with path.open("rb") as file:
        head = file.read(TOLD_BYTES)
        if not head.strip():
            return "it has 0 bytes" if not head else "it is empty"
        file.seek(0)
        source = open_archive(file)
        if source is None:
            return f"it begins with {_told(head)}, which is no WARC record, plain or in gzip or zstandard"
        data = source.read()
    if isinstance(data, bytes) and len(data.lstrip()) >= len(RECORD) and not data.lstrip().startswith(RECORD):
        return f"what it holds begins with {_told(data)}, which is no WARC record"
    return ""


def _is_archive(name: str) -> bool:
    """x.warc, x.warc.gz, x.warc.wet.gz, x.warc.zst"""
    return name.removesuffix(".gz").removesuffix(".zst").endswith(ARCHIVES)


def _told(head: bytes) -> str:
    return ascii(head[:TOLD_BYTES].decode("utf-8", "replace"))
