"""Header lines as WARC and HTTP have them: a line feed alone ends a line too, a folded line continues the one before,
and no other character ends one, whatever Python's splitlines takes for a line's end."""

from __future__ import annotations

import re

EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
FOLD = re.compile(rb"\r?\n[ \t]+")


def find_empty_line(data: bytes | bytearray, most: int) -> tuple[int, int] | None:
    """Where the head ends and what follows it begins, among the first `most` bytes; None where it does not end."""
    at = data.find(b"\r\n\r\n", 0, most)
    if at >= 0 and data.find(b"\n\n", 0, at) < 0 and data.find(b"\n\r\n", 0, at) < 0:
        return at, at + 4  # the usual case, without the regular expression
    found = EMPTY_LINE.search(data, 0, most)
    return found.span() if found else None


def split_head(head: bytes, charset: str) -> tuple[str, list[tuple[str, str]]]:
    """The first line, and name in lower case and value of the others, in their order."""
    if b"\n " in head or b"\n\t" in head:
        head = FOLD.sub(b" ", head)
    first, *lines = head.decode(charset, "replace").replace("\r\n", "\n").split("\n")
    pairs = [line.partition(":") for line in lines]
    return first, [(name.strip(" \t").lower(), value.strip(" \t\r")) for name, _, value in pairs]
