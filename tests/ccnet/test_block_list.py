"""Block lists as others publish them: what goes, what stays beside it, and which line is no entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccnet.block_list import BlockList
from ccnet.document import CorpusError
from ccnet.filters import Filters, read_filters


def listed(*lines: str) -> BlockList:
    found = BlockList()
    for line in lines:
        found.add(line)
    return found


@pytest.mark.parametrize(
    ("line", "gone", "stays"),
    [
        ("kettle.example", "http://a.b.KETTLE.example.:81/x?y", "http://teakettle.example/"),
        ("kettle.example.", "https://kettle.example/", "http://kettle.example.org/"),
        ("http://kettle.example", "https://u:p@kettle.example/", "http://example/"),
        ("*.kettle.example", "http://a.kettle.example/", "http://c.example/kettle.example"),
        ("||kettle.example^", "http://kettle.example/", "http://c.example/"),
        ("kettle.example # why", "http://%6bettle.example/", "http://c.example/#kettle.example"),
        ("0.0.0.0 kettle.example", "http://kettle.example/", "http://0.0.0.0/"),
        ("127.0.0.1\tkettle.example other.example", "http://other.example/", "http://127.0.0.1/"),
        ("grün.example", "http://xn--grn-ioa.example/x", "http://grun.example/"),
        ("XN--GRN-IOA.example", "http://GRÜN。example/", "http://xn--grn-iob.example/"),
        ("kettle.example:8080", "http://kettle.example:8080/x", "http://kettle.example/x"),
        ("kettle.example:80", "http://kettle.example/x", "https://kettle.example/x"),
        ("kettle.example/tea/", "http://kettle.example/tea/a", "http://kettle.example/team"),
        ("kettle.example/tea", "http://kettle.example/tea?a=b", "http://kettle.example/team"),
        ("kettle.example/tea", "http://kettle.example/x/../tea/green", "http://kettle.example/x/tea"),
        ("kettle.example/чай", "http://kettle.example/%D1%87%d0%b0%D0%B9/1", "http://kettle.example/%D1%87/1"),
        ("kettle.example/%7etea", "http://kettle.example/~tea", "http://kettle.example/tea"),
        ("kettle.example/p?id=3", "http://kettle.example/p?id=3", "http://kettle.example/p?id=33"),
        (
            "kettle.example/go?to=http://c.example/",
            "http://kettle.example/go?to=http://c.example/",
            "http://c.example/",
        ),
        ("192.0.2.7", "http://192.0.2.7/x", "http://7.192.0.2.example/"),
        ("[2001:db8::7]:81", "http://[2001:DB8:0::7]:81/", "http://[2001:db8::7]/"),
    ],
)
def test_a_line_blocks_what_it_names_and_nothing_else(line: str, gone: str, stays: str) -> None:
    found = listed(line)
    assert found.blocks(gone)
    assert not found.blocks(stays)
    assert not found.blocks("http://[broken")
    assert not found.blocks("")


def test_comments_and_empty_lines_block_nothing() -> None:
    assert not listed("   # kettle.example", "")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("blocked-urls.txt", b"ok.example\nnot a host\n", "blocked-urls.txt line 2: 'not a host': several words"),
        ("blocked-urls.txt", b"http:///path\nkettle.example:port\n", "line 2: .*wanted a host, host:port"),
        (
            "blocked-urls.txt",
            b"ok.example\r\n\r\nkettl\xe9.example\n",
            r"blocked-urls.txt line 3: 'kettl\\xe9.*wanted UTF-8",
        ),
        ("boilerplate.txt", b"\xff\n", "boilerplate.txt line 1: .*wanted UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=told):
        read_filters(tmp_path)


def test_a_list_with_a_mark_and_windows_lines_is_read(tmp_path: Path) -> None:
    (tmp_path / "blocked-urls.txt").write_bytes("\ufeffkettle.example\r\ngrün.example\r\n".encode())
    filters: Filters = read_filters(tmp_path)
    assert filters.reason({"url": "http://kettle.example/", "language": "en"}) == "blocked_url"
    assert filters.blocked.hosts == {"kettle.example", "xn--grn-ioa.example"}
