"""WARC digests: `sha1:BASE32` of a block or a payload."""

from __future__ import annotations

import base64
import hashlib


def sha1_digest(data: bytes) -> str:
    """As Common Crawl writes it: sha1: and base32 in capitals."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def matches(digest: str, data: bytes) -> bool:
    """Whether a stated digest fits; one in an algorithm or form that is not known here counts as fitting."""
    algorithm, _, value = digest.partition(":")
    if algorithm.lower() != "sha1":
        return True
    found = hashlib.sha1(data, usedforsecurity=False)
    if len(value) == 40:
        return value.lower() == found.hexdigest()
    return len(value) != 32 or value.upper() == base64.b32encode(found.digest()).decode()
