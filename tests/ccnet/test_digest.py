"""Digests as WARC files state them."""

from __future__ import annotations

import hashlib

import pytest

from ccnet.digest import matches, sha1_digest


def test_a_digest_fits_its_bytes_in_base32_and_in_hexadecimal_and_no_others() -> None:
    for data in (b"", b"a kettle", bytes(range(256)), *(bytes([n]) * n for n in range(60))):
        stated = sha1_digest(data)
        assert matches(stated, data)
        assert matches(stated.lower(), data)
        assert matches("SHA1:" + hashlib.sha1(data).hexdigest().upper(), data)
        assert not matches(stated, data + b"x")


@pytest.mark.parametrize("value", ["1" * 32, "0" * 32, "_" * 32, "!" * 32, " " * 32, "\u0663" * 32, "A" * 31 + "8"])
def test_what_is_no_base32_fits_nothing(value: str) -> None:
    assert not matches(f"sha1:{value}", b"a kettle")


def test_a_digest_of_an_unknown_kind_is_believed() -> None:
    assert matches("md5:abc", b"a kettle")
    assert matches("sha1:short", b"a kettle")
