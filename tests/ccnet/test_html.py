"""A page's bytes to text as browsers read them (WHATWG Encoding, HTML and MIME Sniffing standards)."""

from __future__ import annotations

import codecs

import pytest

from ccnet.encodings import decode, find_encoding
from ccnet.html import decode_html
from ccnet.media_types import is_html

ENGLISH = "A page about kettles and the stoves on which they sing. "
RUSSIAN = "Чайник стоял на плите и тихо пел свою зимнюю песню. "


def page(head: str, text: str, charset: str = "utf-8") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}<title>x</title></head><body><p>{text * 4}</p></body></html>".encode(
        charset, "replace"
    )


@pytest.mark.parametrize("label", ["utf-16", "UTF-16LE", "utf-16be", "unicode", "csUnicode", "iso-10646-ucs-2"])
def test_utf_16_declared_in_ascii_is_utf_8(label: str) -> None:
    assert ENGLISH in (decode_html(page(f'<meta charset="{label}">', ENGLISH)) or "")
    assert RUSSIAN in (decode_html(page(f'<meta charset="{label}">', RUSSIAN)) or "")


def test_utf_16_is_believed_of_a_mark_and_of_a_header_that_fits() -> None:
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        body = page("<meta charset=koi8-r>", RUSSIAN, name)
        assert RUSSIAN in (decode_html(mark + body, "text/html; charset=windows-1251") or "")
        assert RUSSIAN in (decode_html(body, f"text/html; charset={name.replace('-', '', 0)[:6]}{name[-2:]}") or "")
    assert ENGLISH in (decode_html(page("", ENGLISH), "text/html; charset=utf-16") or "")


@pytest.mark.parametrize(
    "label", ["undefined", "idna", "utf-7", "punycode", "rot13", "base64", "hex", "zlib", "unicode_escape", "mbcs", "x"]
)
def test_a_codec_of_python_that_is_no_label_is_never_asked(label: str) -> None:
    assert find_encoding(label) == ""
    body = page(f"<meta charset={label}>", RUSSIAN + "+2AA-", "utf-8")
    assert RUSSIAN in (decode_html(body, f"text/html; charset={label}") or "")


@pytest.mark.parametrize(
    "head",
    [
        "<!-- <meta charset=windows-1251> --><meta charset=koi8-r>",
        '<meta name=description content="text/html; charset=windows-1251"><meta charset=koi8-r>',
        "<meta name='a' content='>charset=windows-1251'><meta charset=koi8-r>",
        '<link title="<meta charset=windows-1251>"><meta charset="koi8-r">',
        "<?php meta charset=windows-1251 ?><META CHARSET = 'KOI8-R' />",
        '<meta content="text/html; charset=koi8-r" http-equiv="Content-Type">',
        "<metadata charset=windows-1251><meta charset=koi8-r>",
        "<meta charset=nonsense><meta charset=koi8-r>",
        "<meta charset=koi8-r><meta charset=windows-1251>",
    ],
)
def test_the_prescan_reads_meta_elements_and_nothing_else(head: str) -> None:
    assert RUSSIAN in (decode_html(page(head, RUSSIAN, "koi8-r")) or "")


def test_a_late_declaration_counts_where_nothing_else_does() -> None:
    assert RUSSIAN in (decode_html(page(f"<style>{'a {} ' * 800}</style><meta charset=cp866>", RUSSIAN, "cp866")) or "")


def test_the_header_is_asked_before_the_page_and_gives_way_where_it_does_not_fit() -> None:
    body = page("<meta charset=windows-1251>", RUSSIAN, "koi8-r")
    assert RUSSIAN in (decode_html(body, "text/html; charset=koi8-r") or "")
    body = page("<meta charset=koi8-r>", RUSSIAN, "koi8-r")
    assert RUSSIAN in (decode_html(body, "text/html; charset=utf-8") or "")


def test_utf_8_is_read_as_such_whatever_is_declared() -> None:
    assert RUSSIAN in (decode_html(page("", RUSSIAN), "text/html; charset=windows-1251") or "")


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("latin1", b"\x93caf\xe9\x94 \x80\x81", "“café” €\x81"),
        ("ascii", b"\x85", "…"),
        ("iso-8859-9", b"\xfd\xfe\xf0", "ışğ"),
        ("sjis", b"\x87\x40\x87\x8a\xfb\xfc\x81\x60", "①㈱髙～"),
        ("x-sjis", b"\x81<p>", "\ufffd<p>"),
        ("euc-jp", b"\xad\xa1\xad\xea\xfc\xe2\xa1\xc1\x8e\xb1", "①㈱髙～ｱ"),
        ("iso-2022-jp", b"a\x1b$B-!|b\x1b(I1\x1b(Bz", "a①髙ｱz"),
        ("big5", b"\x9d\xef\x9d\xf7\xa1\x45\xa3\xe1\xa4\xa4", "嘅咗‧€中"),
        ("big5-hkscs", b"\xc9\x4e\xa4\xa4", "冇中"),
        ("ks_c_5601-1987", b"\x8c\x63\xbc\x84", "똠펲"),
        ("gb2312", b"\xd6\xd0\x80\xe9F\xa8\xbc", "中€镕ḿ"),
        ("gb18030", b"\x81\x39\xef\x30", "㐁"),
        ("koi8-u", b"\xae\xa4", "ўє"),
        ("windows-874", b"\xa1\x80\x81", "ก€\x81"),
        ("logical", b"\xe0", "א"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
    ],
)
def test_labels_mean_what_the_encoding_standard_says(label: str, data: bytes, text: str) -> None:
    assert decode(data, find_encoding(label)) == text


@pytest.mark.parametrize("label", ["iso-2022-kr", "hz-gb-2312", "iso-2022-cn"])
def test_encodings_that_browsers_refuse_give_no_text(label: str) -> None:
    assert decode(b"~{VPND~}", find_encoding(label)) is None


def test_x_user_defined_in_a_meta_is_windows_1252() -> None:
    assert "café" in (decode_html(page("<meta charset=x-user-defined>", "café ", "latin-1")) or "")


@pytest.mark.parametrize(
    ("declared", "body", "expected"),
    [
        ("", b"  \n<!DOCTYPE html><p>", True),
        ("", b"\xef\xbb\xbf<html lang=sw>", True),
        ("", "<html><p>".encode("utf-16"), True),
        ("", b"<!-- a --><p>", True),
        ("", b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", True),
        ("", b"<?xml version='1.0'?><rss>", False),
        ("", b"%PDF-1.7\n<html>", False),
        ("", b"\xff\xd8\xff\xe0\0\x10JFIF", False),
        ("", b"Plain words and nothing else.", False),
        ("", b'{"html": "<p>"}', False),
        ("", b"\0\x01\x02<html>", False),
        ("text/html", b"Words without a tag", True),
        ("text/html", b"%PDF-1.4 declared as a page", False),
        ("text/html", b"PK\x03\x04zip", False),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html>", True),
        ("text/plain", b"<html>", False),
    ],
)
def test_what_is_a_page_is_told_by_its_first_bytes_where_no_header_says(
    declared: str, body: bytes, expected: bool
) -> None:
    assert is_html(declared, body) is expected
