"""HTTP as servers and recorders leave it: line ends, folds, interim answers, chunks that are none, codings in a row."""

from __future__ import annotations

import gzip
import time
import zlib

import brotli
import pytest
import zstandard

from ccnet.content_codings import MAX_BODY_BYTES, undo_codings
from ccnet.http_message import HttpResponse, parse_media_type, parse_response

PAGE = b"<html><body><p>A kettle of tea stood on the stove of the signal box.</p></body></html>"


def response(block: bytes) -> HttpResponse:
    found = parse_response(block)
    assert found is not None
    return found


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_head_ends_at_the_first_empty_line_whatever_ends_its_lines(end: bytes) -> None:
    body = b"<p>one</p>\r\n\r\n<p>two</p>\r\n"
    found = response(end.join([b"HTTP/1.1 200 OK", b"Content-Type: text/html", b"", body]))
    assert (found.status, found.headers, found.payload) == (200, {"content-type": "text/html"}, body)


def test_a_folded_line_and_repeated_headers_are_one_value() -> None:
    found = response(b"HTTP/1.1 200 OK\r\nContent-Type: text/html;\r\n\tcharset=koi8-r\r\nVia: a\r\nvia: b\r\n\r\n")
    assert found.headers == {"content-type": "text/html; charset=koi8-r", "via": "a, b"}


@pytest.mark.parametrize("odd", [b"\x85", b"\x0b", b"\x0c", b"\x1c", b"\r"])
def test_a_character_that_python_takes_for_a_line_end_injects_no_header(odd: bytes) -> None:
    found = response(b"HTTP/1.1 200 OK\r\nX-Name: a" + odd + b"Content-Encoding: br\r\n\r\n" + PAGE)
    assert list(found.headers) == ["x-name"]
    assert found.body() == PAGE


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    found = response(interim + b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + PAGE)
    assert (found.status, found.headers, found.payload) == (200, {"a": "b"}, PAGE)
    assert response(b"HTTP/1.1 103 Early Hints\r\n\r\n").status == 103


@pytest.mark.parametrize(
    ("payload", "joined"),
    [
        (b"4\r\nwood\r\n5;name=x\r\nhouse\r\n0\r\n\r\n", b"woodhouse"),
        (b"4\nwood\n0\n\n", b"wood"),
        (b"4\r\nwood\r\n9\r\nhou", b"woodhou"),  # the record was cut
        (b"-6\r\n" + PAGE, b"-6\r\n" + PAGE),
        (b"+6\r\n" + PAGE, b"+6\r\n" + PAGE),
        (b"0x6\r\n" + PAGE, b"0x6\r\n" + PAGE),
        (b"1_0\r\n" + PAGE, b"1_0\r\n" + PAGE),
        (b"12\r\n" + PAGE, b"12\r\n" + PAGE),  # a number, but no line ends after so many bytes
        (b"0\r\n" + PAGE, b"0\r\n" + PAGE),
        (b"\xd9\xa3\r\nabc", b"\xd9\xa3\r\nabc"),  # a digit, but no hexadecimal one
    ],
)
def test_what_is_not_chunked_is_left_as_it_is(payload: bytes, joined: bytes) -> None:
    assert response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + payload).joined() == joined


CODERS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODERS)
def test_a_coding_is_undone_or_was_already(coding: str) -> None:
    assert undo_codings(CODERS[coding](PAGE), [coding]) == PAGE
    assert undo_codings(PAGE, [coding]) == PAGE


def test_codings_in_a_row_are_undone_from_the_last() -> None:
    data = CODERS["zstd"](CODERS["br"](CODERS["gzip"](PAGE)))
    assert undo_codings(data, ["gzip", " BR", "identity", "zstd"]) == PAGE
    assert undo_codings(zlib.compress(PAGE)[2:-4], ["deflate"]) == PAGE  # raw, as some servers mean it


@pytest.mark.parametrize("coding", ["none", "identity", "utf-8", "", "made-up"])
def test_a_coding_that_codes_nothing_leaves_the_body(coding: str) -> None:
    assert undo_codings(PAGE, [coding]) == PAGE


def test_bytes_that_no_coding_explains_are_no_body() -> None:
    assert undo_codings(bytes(range(256)), ["br"]) is None
    assert undo_codings(bytes(range(256)), ["made-up"]) is None


def test_all_members_of_a_body_are_read_and_what_follows_is_not() -> None:
    members = b"".join(gzip.compress(PAGE[at : at + 20]) for at in range(0, len(PAGE), 20))
    assert undo_codings(members + b"\0trailer", ["gzip"]) == PAGE


@pytest.mark.parametrize("coding", CODERS)
def test_a_bomb_is_cut(coding: str) -> None:
    bomb = CODERS[coding](bytes(2 * MAX_BODY_BYTES))
    assert len(undo_codings(bomb, [coding]) or b"") == MAX_BODY_BYTES


def test_a_body_of_a_million_members_takes_no_time() -> None:
    begun = time.process_time()
    assert undo_codings(gzip.compress(b"") * 200_000, ["gzip"]) == b""
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("header", "kind", "charset"),
    [
        ("text/html, text/html; charset=koi8-r", "text/html", "koi8-r"),
        ("text/html; charset=koi8-r, text/html", "text/html", "koi8-r"),
        ("text/html; charset=koi8-r, text/plain", "text/plain", ""),
        ("TEXT/HTML;CHARSET='Big5'", "text/html", "Big5"),
        ('text/html; charset="gbk";', "text/html", "gbk"),
        ("text/html; charset=gbk,", "text/html", "gbk"),
        ('text/html; name="a, b"; charset=gbk', "text/html", "gbk"),
        ("text/html charset=gbk", "", ""),
        ("*/*", "", ""),
        ("", "", ""),
    ],
)
def test_the_media_type_is_the_last_that_is_one(header: str, kind: str, charset: str) -> None:
    assert parse_media_type(header) == (kind, charset)
