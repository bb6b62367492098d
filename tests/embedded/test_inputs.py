"""What `make run` makes itself: the recorded crawl, and what it falls back to where apt or the network is missing."""

from __future__ import annotations

import gzip
import logging
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

import embedded.inputs
from embedded.benchmarks import to_iob1
from embedded.debian import AptUnavailable, Archive
from embedded.inputs import InputChoices, make_inputs
from embedded.record import Page, record_crawl
from pipeline.errors import BadConfig

PAGES = [
    Page("http://a.example/one.html", "<p>Grüße</p>".encode("iso-8859-1"), "text/html; charset=iso-8859-1"),
    Page("http://b.example/two.html", b"<p>two</p>"),
    Page("http://b.example/three.html", b"<p>three</p>"),
]
START = datetime(2026, 7, 20, tzinfo=UTC)


@pytest.fixture
def no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_a_recorded_crawl_is_what_the_server_sent_in_common_crawls_layout(tmp_path: Path) -> None:
    record_crawl(PAGES, tmp_path, "CC-MAIN-2026-30", files=2, start=START)
    base = tmp_path / "crawl-data" / "CC-MAIN-2026-30"
    paths = gzip.decompress((base / "warc.paths.gz").read_bytes()).decode().split()
    assert len(paths) == 2
    found = {}
    for path in paths:
        with (tmp_path / path).open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                if record.rec_type == "response":
                    url = record.rec_headers.get_header("WARC-Target-URI")
                    found[url] = (record.http_headers.get_header("Content-Type"), record.content_stream().read())
    assert found == {page.url: (page.content_type, page.payload) for page in PAGES}


def test_every_record_of_a_recorded_crawl_is_a_gzip_member_of_its_own(tmp_path: Path) -> None:
    record_crawl(PAGES[:1], tmp_path, "CC-MAIN-2026-30", files=1, start=START)
    [warc] = (tmp_path / "crawl-data").glob("*/segments/*/warc/*.warc.gz")
    members, rest = 0, warc.read_bytes()
    while rest:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        assert member.decompress(rest).startswith(b"WARC/1.0\r\n")
        members, rest = members + 1, member.unused_data
    assert members == 4  # warcinfo, request, response, metadata


def test_the_same_pages_are_recorded_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        record_crawl(PAGES, tmp_path / name, "CC-MAIN-2026-30", files=1, start=START)
    files = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.gz")}
        for name in ("first", "second")
    ]
    assert len(files[0]) == 5
    assert files[0] == files[1]


def test_without_apt_one_line_says_so(no_apt: None, tmp_path: Path) -> None:
    with pytest.raises(AptUnavailable, match=r"^apt-get not found: this is no Debian-like system$"):
        Archive(tmp_path / "apt")


def test_without_apt_a_slice_of_common_crawl_is_taken(
    no_apt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.inputs, "_reachable", lambda url: True)
    found = make_inputs(InputChoices(var=tmp_path))
    assert (found.places["source"], found.settings["dumps"]) == ("https://data.commoncrawl.org/", ["CC-MAIN-2019-35"])
    assert (found.settings["kind"], found.settings["segments"]) == ("wet", 1)


def test_without_apt_and_network_the_small_crawl_is_used_and_said(
    no_apt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded.inputs, "COMMON_CRAWL", "http://127.0.0.1:9/")  # nothing listens on discard
    with caplog.at_level(logging.WARNING):
        found = make_inputs(InputChoices(var=tmp_path))
    assert "Common Crawl cannot be reached: using the small crawl" in caplog.text
    assert found.places["source"] == (tmp_path / "input" / "small").as_uri() + "/"
    assert found.settings["languages"] == ["de", "en", "es", "fr", "ru", "sw"]


def test_a_source_without_a_crawl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="say which dump"):
        make_inputs(InputChoices(var=tmp_path, source="http://127.0.0.1:1/"))


def test_conll_2002_tags_become_conll_2003_ones() -> None:
    assert to_iob1(["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]) == ["I-PER", "I-PER", "O", "I-LOC", "B-LOC"]
