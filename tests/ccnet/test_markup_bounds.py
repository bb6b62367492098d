"""Markup whose cost grows with its square is read in bounded time, and its text is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ccnet.html import extract_text
from ccnet.markup_bounds import bounded

N = 20_000
COSTLY: dict[str, Callable[[int], str]] = {
    "formatting opened anew in each paragraph": lambda n: (
        "<p>" + "".join(f"<font size={i}>" for i in range(n)) + "</p>" + "<p>word</p>" * n
    ),
    "formatting that is never closed": lambda n: "".join(f"<I id={i}><span>" for i in range(n)) + "word",
    "lists in lists": lambda n: "<ul><li>word" * n,
    "lists in lists that are closed": lambda n: "<ul><li>" * n + "word" + "</li></ul>" * n,
    "a tag of many attributes": lambda n: "<p " + " ".join(f"a{i}=1" for i in range(n)) + ">word",
    "a tag of many attributes without spaces": lambda n: "<p " + "/".join(f"a{i}" for i in range(n)) + ">word",
}


@pytest.mark.parametrize("name", COSTLY)
def test_costly_markup_takes_bounded_time_and_keeps_its_words(name: str) -> None:
    begun = time.process_time()
    _, lines = extract_text(f"<html><body>{COSTLY[name](N)}</body></html>")
    assert time.process_time() - begun < 2
    assert set(lines) == {"word"}


def test_what_is_made_flat_keeps_title_breaks_and_scripts() -> None:
    deep = "<div><b>one</b> two<br>three" * 12_000
    page = f"<html><head><title>Name</title><style>p {{}}</style></head><body><script>x<div>y</script>{deep}</body>"
    title, lines = extract_text(page)
    assert title == "Name"
    assert lines == ["one two", "three"] * 12_000


def test_a_long_page_with_closed_tags_and_a_picture_inside_is_left_as_it_is() -> None:
    picture = "data:image/png;base64," + "ab/cd+" * 20_000
    page = f'<ul>{"<li><b>word</b><br>" * 20_000}</ul><img src="{picture}">'
    assert bounded(page) == page
