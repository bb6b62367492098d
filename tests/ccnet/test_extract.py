"""Crawl files to documents: the museum of broken inputs, and CCNet's parsing of WET."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ccnet.document import CorpusError, Document
from ccnet.extract import extract_files, from_wet
from ccnet.warc import Record
from tests.ccnet.museum import EXHIBITS, LINES, good_html, page, response, sha1

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


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_broken_record_has_one_reason_and_costs_nothing_else(name: str, tmp_path: Path) -> None:
    make, reason, survivors = EXHIBITS[name]
    counts, rows = extract(page("first") + make() + page("last"), tmp_path, max_bad_fraction=9)
    assert balanced(counts)
    assert counts[reason] >= 1
    assert counts["documents_kept"] == len(rows) == survivors
    assert rows[0]["url"] == "http://good.example/first"


def test_what_was_wrongly_declared_is_read_with_the_right_charset(tmp_path: Path) -> None:
    _, rows = extract(EXHIBITS["a charset that is not the declared one"][0](), tmp_path)
    assert "Größe über Straße" in str(rows[0]["text"])


def test_no_nul_byte_reaches_the_text(tmp_path: Path) -> None:
    _, rows = extract(EXHIBITS["NUL bytes in the text"][0](), tmp_path)
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
