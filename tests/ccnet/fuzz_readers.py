"""Mutated WARC, WET, gzip, zstandard, HTTP, content codings, HTML and charsets through the readers: no crash or hang,
bounded memory, balanced counts, nothing that a library raises.

python -m tests.ccnet.fuzz_readers --inputs 100000
"""

from __future__ import annotations

import argparse
import gzip
import logging
import random
import re
import resource
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import brotli
import zstandard

from ccnet.archive_streams import ZSTD_DICTIONARY, ZSTD_FRAME
from ccnet.document import CorpusError
from ccnet.extract import extract_files
from tests.ccnet.odd_archives import GOOD_TEXT, ODD_ARCHIVES, conversion, html, page, raw, response

MAX_RECORD_BYTES = 1 << 20
INTERESTING = [
    b"\0", b"\r\n\r\n", b"WARC/1.0\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: -1\r\n",
    b"\x1f\x8b\x08", b"<" * 4000, b"&#" * 500, b"\xff\xfe", b"\xed\xa0\x80", b"<script>", b"<!--", b"<meta charset=",
    b"-6\r\n", b"ffffffff\r\n", b"0\r\n\r\n", b"\n\n", b"\r\n ", b"\xe2\x80\xa8", b"\x0b", b"\x85", b"<!-- ", b"-->",
    b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: br, gzip\r\n", b"Content-Encoding: zstd\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n", b"Content-Type: text/html,\r\n", b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18",
    b"<ul><li>" * 500, b"<font size=1><i id=2>" * 300, b"<p " + b"a=1 " * 900, b"%PDF-1.4\n", b"\x1b$B", b"~{",
    b'<meta http-equiv=content-type content="text/html; charset=utf-16">',
]  # fmt: skip
CHARSETS = [
    "utf-8", "utf-16", "shift_jis", "big5", "gb18030", "iso-2022-jp", "koi8-r", "windows-1255", "utf-7", "nonsense", "",
    "undefined", "idna", "x-user-defined", "euc-jp", "euc-kr", "big5-hkscs", "iso-2022-kr", "windows-874", "latin1",
]  # fmt: skip

Mutation = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 12)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def remove(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, 400) :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at : at + chance.randrange(1, 2000)] * chance.randrange(2, 6) + data[at:]


def insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice(INTERESTING) + data[at:]


def inside(data: bytes, chance: random.Random) -> bytes:
    """Mutate the records and compress them again, so that the faults lie behind the gzip."""
    pack: Callable[[bytes], bytes] = zstandard.compress if data.startswith(ZSTD_FRAME) else fast_gzip
    try:
        plain = gzip.decompress(data) if pack is fast_gzip else zstandard.decompress(data)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, MemoryError):  # zstandard allots what a frame states
        return flip(data, chance)
    return pack(chance.choice((flip, cut, remove, repeat, insert))(plain or b"x", chance))


def fast_gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1)


MUTATIONS: Sequence[Mutation] = (flip, cut, remove, repeat, insert, inside, inside, inside)


def seeds() -> list[bytes]:
    """Good and broken files to start from, a page in every charset, and a gzip bomb."""
    charsets = [gzip.compress(response(html(f"<p>{GOOD_TEXT}</p>" * 5), content_type=f"text/html; charset={name}"))
                for name in CHARSETS]  # fmt: skip
    texts = [gzip.compress(conversion("http://a.example/", f"title\n{GOOD_TEXT * 5}\nline\n")) for _ in range(2)]
    bomb = gzip.compress(response(html("x" * (8 << 20))), 9)
    odd = [data for data in (make() for make, *_ in ODD_ARCHIVES.values()) if len(data) < 10_000]  # mutated faster
    files = [page("a") + page("b"), b"".join(texts), *charsets, *odd]
    return [
        bomb,
        *files,
        *map(without_digests, files),
        *coded(),
        with_dictionary(packed=False),
        with_dictionary(packed=True),
        *map(zstandard.compress, map(gzip.decompress, charsets)),
    ]


def coded() -> list[bytes]:
    """A page under each content coding and framing, without a digest, so that what is mutated is read."""
    body = html(f"<p>{GOOD_TEXT}</p>" * 5)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:90], body[90:], b""))
    bodies = {
        "Content-Encoding: gzip": gzip.compress(body[:99]) + gzip.compress(body[99:]),
        "Content-Encoding: br": brotli.compress(body),
        "Content-Encoding: zstd": zstandard.compress(body),
        "Content-Encoding: deflate": zlib.compress(body),
        "Content-Encoding: gzip\r\nContent-Encoding: br": brotli.compress(gzip.compress(body)),
        "Transfer-Encoding: chunked": chunks,
        "Transfer-Encoding: gzip, chunked": b"%x\r\n%b\r\n0\r\n\r\n" % (len(gzip.compress(body)), gzip.compress(body)),
        "Content-Encoding: none": body,
    }
    heads = [(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{named}\r\n\r\n", data) for named, data in bodies.items()]
    heads += [(head.replace("\r", ""), data) for head, data in heads] + [("HTTP/1.1 200 OK\r\n\r\n", body)]
    return [fast_gzip(raw(head, data)) for head, data in heads]


def with_dictionary(*, packed: bool) -> bytes:
    """A .warc.zst whose first frame holds the dictionary of the others, compressed itself or not."""
    records = [response(html(f"<p>{GOOD_TEXT} {n}</p>" * 5)) for n in range(20)]
    dictionary = zstandard.train_dictionary(800, [record[:400] for record in records])
    coder, data = zstandard.ZstdCompressor(dict_data=dictionary), dictionary.as_bytes()
    data = zstandard.compress(data) if packed else data
    frame = ZSTD_DICTIONARY + len(data).to_bytes(4, "little") + data
    return frame + b"".join(map(coder.compress, records[:3]))


def without_digests(data: bytes) -> bytes:
    """Else a mutated body is dropped before anything reads it."""
    try:
        return gzip.compress(re.sub(rb"WARC-(?:Block|Payload)-Digest: [^\r]*\r\n", b"", gzip.decompress(data)), 1)
    except (OSError, EOFError, zlib.error):
        return data


def check(data: bytes, folder: Path) -> Counter[str]:
    """Read one file; raises AssertionError where counts do not add up."""
    source = folder / "input"
    source.write_bytes(data)
    try:
        counts = extract_files(
            [("input", source)], folder / "out", min_characters=50, max_record_bytes=MAX_RECORD_BYTES,
            max_bad_fraction=1.0,
        )  # fmt: skip
    except CorpusError:
        return Counter(refused=1)
    dropped = sum(count for name, count in counts.items() if name.startswith("dropped_"))
    assert counts["documents_in"] == counts["documents_kept"] + dropped, counts
    assert not counts["dropped_extraction_failed"], counts  # a library's exception: to be understood, then counted
    return counts


def fuzz(inputs: int, seed: int = 1) -> dict[str, float]:
    """Run that many inputs; returns the slowest one's seconds and by how many MB memory grew."""
    chance = random.Random(seed)
    logging.getLogger("ccnet.extract").setLevel(logging.ERROR)
    start, slowest, totals = seeds(), 0.0, Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        for data in start:
            check(data, Path(name))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(inputs):
            data = chance.choice(start)
            for _ in range(chance.randrange(1, 4)):
                data = chance.choice(MUTATIONS)(data or b"x", chance)
            begun = time.process_time()
            try:
                totals.update(check(data, Path(name)))
            except Exception as error:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{seed}-{number}.warc"
                kept.write_bytes(data)
                raise AssertionError(f"input {number} of seed {seed}, kept as {kept}: {error!r}") from error
            slowest = max(slowest, time.process_time() - begun)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"inputs": inputs, "slowest_s": round(slowest, 3), "grown_mb": round(grown, 1), **totals}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(fuzz(arguments.inputs, arguments.seed))


if __name__ == "__main__":
    main()
