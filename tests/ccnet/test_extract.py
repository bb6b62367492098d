"""Crawl files to documents: broken inputs, and CCNet's parsing of WET."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

from ccnet.document import CorpusError, Document
from ccnet.extract import extract_files, from_wet
from ccnet.html import extract_text
from ccnet.warc import Fault, Record, read_records
from tests.ccnet.odd_archives import LINES, ODD_ARCHIVES, good_html, member, page, response, sha1

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "real-cc"


def extract(data: bytes, folder: Path, **options: float) -> tuple[Counter[str], list[dict[str, object]]]:
    source, output = folder / "in.warc.gz", folder / "out.parquet"
    source.write_bytes(data)
    counts = extract_files([("crawl-data/X/in.warc.gz", source)], output, **options)  # type: ignore[arg-type]
    return counts, pq.read_table(output).to_pylist()


def balanced(counts: Counter[str]) -> bool:
    dropped = sum(n for name, n in counts.items() if name.startswith("dropped_"))
    return counts["documents_in"] == counts["documents_kept"] + dropped


@pytest.mark.parametrize("name", ODD_ARCHIVES)
def test_a_broken_record_has_one_reason_and_costs_nothing_else(name: str, tmp_path: Path) -> None:
    make, reason, survivors = ODD_ARCHIVES[name]
    counts, rows = extract(page("first") + make() + page("last"), tmp_path, max_bad_fraction=9)
    assert balanced(counts)
    assert counts[reason] >= 1
    assert counts["documents_kept"] == len(rows) == survivors
    assert rows[0]["url"] == "http://good.example/first"


def test_what_was_wrongly_declared_is_read_with_the_right_charset(tmp_path: Path) -> None:
    _, rows = extract(ODD_ARCHIVES["a charset that is not the declared one"][0](), tmp_path)
    assert "Größe über Straße" in str(rows[0]["text"])


def test_no_nul_byte_reaches_the_text(tmp_path: Path) -> None:
    _, rows = extract(ODD_ARCHIVES["NUL bytes in the text"][0](), tmp_path)
    assert "\0" not in str(rows[0]["text"])
    assert "gardens" in str(rows[0]["text"])


def test_a_file_cut_at_its_end_keeps_what_came_before(tmp_path: Path) -> None:
    counts, rows = extract(page("a") + page("b") + page("c")[:-30], tmp_path)
    assert [row["url"] for row in rows] == ["http://good.example/a", "http://good.example/b"]
    assert counts["dropped_truncated_gzip"] == 1
    assert balanced(counts)


def test_a_file_that_is_mostly_broken_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read: fetch them again"):
        extract(page("a")[:-40], tmp_path)


def test_a_page_keeps_title_lines_and_origin(tmp_path: Path) -> None:
    _, [row] = extract(page("a"), tmp_path)
    assert row["title"] == "Page"
    assert row["nlines"] == row["original_nlines"] == LINES
    assert row["cc_segment"] == "crawl-data/X/in.warc.gz"
    assert row["line_ids"] == list(range(LINES))


def wet(text: str, order: str = "old") -> Record:
    content = text.encode()
    digest = {"warc-block-digest": sha1(content)}
    language = {"warc-identified-content-language": "eng"} if order == "new" else {}
    return Record("conversion", {"warc-target-uri": "u", **digest, **language, "content-length": "9"}, content)


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        ("Title\nfirst\nsecond\n", "Title", "first\nsecond"),  # the usual end: both empty lines are cut
        ("Title\nfirst\nsecond", "Title", "first\nsecond\n"),  # no final newline: CCNet keeps one empty line
        ("Title\n  first \t\nsecond\n", "Title", "first\nsecond"),  # lines are stripped
        ("Title\nfirst\r\nsecond\rthird\n", "Title", "first\nsecond\nthird"),  # text mode's newlines
        ("Title\n\nfirst\n", "Title", "\nfirst"),  # empty lines stay
    ],
)
def test_wet_text_is_parsed_as_ccnet_does(text: str, title: str, rest: str) -> None:
    document = from_wet(wet(text), "segment")
    assert isinstance(document, Document)
    assert (document.title, document.text) == (title, rest)
    assert document.original_nlines == len(rest.split("\n"))
    assert document.original_length == len(text.encode())


def test_the_newer_header_order_gives_the_same_document() -> None:
    """cc_net reads headers by position and finds nothing in dumps since 2020-24."""
    assert from_wet(wet("T\na\n", "old"), "s") == from_wet(wet("T\na\n", "new"), "s")


def test_the_length_limit_counts_characters_of_the_text_without_title(tmp_path: Path) -> None:
    def record(text: str) -> bytes:
        content = ("T" * 500 + "\n" + text + "\n").encode()
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(content)}\r\n\r\n"
        return gzip.compress(head.encode() + content + b"\r\n\r\n")

    counts, rows = extract(record("ä" * 299) + record("ä" * 300), tmp_path)
    assert [row["length"] for row in rows] == [300]
    assert counts["dropped_too_short"] == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared archives of other people are not on this machine")
def test_every_genuine_record_is_read_or_counted(tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    for path in sorted(REAL.rglob("*")):
        if path.is_file() and path.suffix != ".tsv":
            total += extract_files([("x", path)], tmp_path / "out.parquet", max_bad_fraction=99, min_characters=1)
    assert balanced(total)
    assert total["documents_kept"] > 150


@pytest.mark.parametrize("joined", [True, False])
def test_a_digest_may_be_of_the_chunks_or_of_what_they_join_to(tmp_path: Path, joined: bool) -> None:
    html = good_html("chunked")
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (html[:100], html[100:], b""))
    kind = "text/html; charset=utf-8\r\nTransfer-Encoding: chunked"
    record = response(body, content_type=kind, digest=sha1(html if joined else body))
    counts, rows = extract(gzip.compress(record), tmp_path)
    assert counts["documents_kept"] == 1
    assert "\r\n" not in str(rows[0]["text"])


def test_what_a_library_raises_costs_the_page_and_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fragile(html: str) -> tuple[str, list[str]]:
        if "odd" in html:
            raise KeyError("inside a parser")
        return extract_text(html)

    monkeypatch.setattr("ccnet.extract.extract_text", fragile)
    odd = [page(f"odd-{n}") for n in range(15)]
    counts, rows = extract(page("a") * 40 + b"".join(odd) + page("b"), tmp_path)
    assert balanced(counts)
    assert (counts["dropped_extraction_failed"], len(rows)) == (15, 41)
    first, *rest = [record.getMessage() for record in caplog.records if record.name == "ccnet.extract"]
    assert first == (
        f"crawl-data/X/in.warc.gz at byte {40 * len(page('a'))}: 'http://good.example/odd-0': "
        "KeyError: 'inside a parser': dropped"
    )
    assert len(rest) == 9
    assert rest[-1].endswith("more of this file are counted, not logged")


def test_a_fault_that_most_pages_meet_is_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(html: str) -> tuple[str, list[str]]:
        raise KeyError("in our own code")

    monkeypatch.setattr("ccnet.extract.extract_text", broken)
    with pytest.raises(KeyError, match="in our own code"):
        extract(page("a") * 30, tmp_path)


def test_a_url_is_whole_whatever_characters_it_has(tmp_path: Path) -> None:
    urls = ["http://odd.example/a\u2028b", "http://odd.example/a\x85b", "http://odd.example/a\x0bWARC-Type: request",
            "http://odd.example/a\x0cb", "http://odd.example/a\u2029b", "http://odd.example/a\x1eb"]  # fmt: skip
    counts, rows = extract(b"".join(gzip.compress(response(good_html("x"), url=url)) for url in urls), tmp_path)
    assert [row["url"] for row in rows] == urls
    assert balanced(counts)


@pytest.mark.parametrize("packed", [False, True])
def test_a_zstandard_archive_is_read_with_its_dictionary(tmp_path: Path, packed: bool) -> None:
    records = [response(good_html(str(n)), url=f"http://good.example/{n}") for n in range(40)]
    dictionary = zstandard.train_dictionary(1500, [record[:400] for record in records])
    coder, data = zstandard.ZstdCompressor(dict_data=dictionary), dictionary.as_bytes()
    data = zstandard.compress(data) if packed else data
    frames = [coder.compress(record) for record in records]
    archive = b"\x5d\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data + b"".join(frames)
    _, rows = extract(archive, tmp_path)
    assert [row["url"] for row in rows] == [f"http://good.example/{n}" for n in range(40)]
    broken = bytearray(archive)
    broken[-len(frames[-1]) - 30] ^= 0xFF
    counts, rows = extract(bytes(broken) + frames[0][:-9], tmp_path)
    assert (counts["dropped_bad_zstd"], counts["dropped_truncated_zstd"], len(rows)) == (1, 1, 39)
    without, _ = extract(b"".join(frames), tmp_path, max_bad_fraction=9)
    assert without["dropped_bad_zstd"] == without["documents_in"] > 0
    damaged = dictionary.as_bytes()[:8] + b"\xff" * 200
    head = b"\x5d\x2a\x4d\x18" + len(damaged).to_bytes(4, "little")
    counts, _ = extract(head + damaged + b"".join(frames), tmp_path, max_bad_fraction=9)
    assert counts["dropped_bad_zstd"] == counts["documents_in"] > 0


def test_a_record_says_where_it_lies(tmp_path: Path) -> None:
    records = [response(good_html(name)) for name in "abc"]
    members = [member(record) for record in records]  # the same bytes whenever they are made
    for parts, name in (
        (records, "x.warc"),
        (members, "x.warc.gz"),
        ([zstandard.compress(r) for r in records], "x.zst"),
    ):
        (tmp_path / name).write_bytes(b"".join(parts))
        starts = [0, len(parts[0]), len(parts[0]) + len(parts[1])]
        assert [found.offset for found in read_records(tmp_path / name)] == starts
    (tmp_path / "cut.gz").write_bytes(members[0] + members[1][:90] + members[2])
    found = list(read_records(tmp_path / "cut.gz"))
    assert found[1] == Fault("bad_gzip", len(members[0]))
