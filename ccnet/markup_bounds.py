"""Markup that no parser reads in bounded time and memory, made flat before it is parsed.

What the HTML standard does with tags that are never closed grows with the square of their number: formatting that is
open is opened anew in every later paragraph, and every nested list indents its lines further.  Browsers stop at a
depth of some hundreds.  Ours: where the product of what is open and of all tags passes a bound, formatting tags go
and every other tag parts paragraphs; scripts and styles stay what they are.
"""

from __future__ import annotations

import re
from collections import Counter

FEW_CHARACTERS = 10_000
FEW_TAGS = 700  # fewer cannot pass MAX_REOPENED
MANY_TAGS = 10_000
MAX_REOPENED = 500_000  # measured: a million elements take 2.8 s and 370 MB
MAX_NESTED = 20_000_000  # open elements times tags: 0.2 s
MAX_ATTRIBUTES = 4_000  # of one tag: they are compared with each other
STRIDE = MAX_ATTRIBUTES  # characters; a tag of more attributes covers so many, in which no other begins
FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
INLINE = FORMATTING | {
    "abbr", "cite", "del", "dfn", "ins", "kbd", "label", "mark", "q", "samp", "span", "sub", "sup", "time", "var",
    "wbr",
}  # fmt: skip
KEPT = frozenset(("html", "head", "body", "title", "script", "style", "template", "textarea", "noscript", "iframe"))
CLOSED_ELSEWHERE = frozenset((  # by a sibling or a parent, or never open
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "col", "br",
    "hr", "img", "input", "meta", "link", "area", "base", "embed", "param", "source", "track", "wbr",
))  # fmt: skip
NEVER_CLOSED = ("<br", "<img", "<meta", "<link", "<input", "<hr", "<!--")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
BETWEEN_ATTRIBUTES = re.compile(r"[\s/=]+")
TAG_NAME = re.compile(r"</?[A-Za-z][A-Za-z0-9]*")
TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)[^>]*>")


def bounded(html: str) -> str:
    """The page, or what is left of its markup where that would cost too much."""
    if len(html) < FEW_CHARACTERS:
        return html
    if any(html.find("<", at, at + STRIDE) < 0 for at in range(0, len(html) - STRIDE, STRIDE)):
        html = _without_endless_tags(html)
    tags = html.count("<")
    if tags <= FEW_TAGS:
        return html
    if _may_reopen(html, tags) and _unclosed_formatting(html) * tags > MAX_REOPENED:
        return _flat(html)
    if tags > MANY_TAGS and _depth(html) * tags > MAX_NESTED:
        return _flat(html)
    return html


def _may_reopen(html: str, tags: int) -> bool:
    """A quick look: whether so many tags are not closed, those aside that need not be."""
    unclosed = tags - 2 * html.count("</")
    if unclosed * tags <= MAX_REOPENED:
        return False
    return (unclosed - sum(map(html.count, NEVER_CLOSED))) * tags > MAX_REOPENED


def _unclosed_formatting(html: str) -> int:
    counts: Counter[str] = Counter()
    for name, count in Counter(TAG_NAME.findall(html)).items():
        counts[name.lower()] += count
    return sum(max(0, counts[f"<{name}"] - counts[f"</{name}"]) for name in FORMATTING)


def _depth(html: str) -> int:
    """How many elements are open at once, at most."""
    open_elements: Counter[str] = Counter()
    depth = deepest = 0
    for found in TAG_NAME.findall(html):
        name = found.lstrip("</").lower()
        if name in CLOSED_ELSEWHERE:
            continue
        if found[1] != "/":
            open_elements[name] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif open_elements[name]:
            open_elements[name] -= 1
            depth -= 1
    return deepest


def _flat(html: str) -> str:
    return TAG.sub(lambda tag: _flattened(tag.group(), tag.group(2).lower()), html)


def _flattened(tag: str, name: str) -> str:
    if name in KEPT:
        return tag
    return "" if name in INLINE else "<br>" if name == "br" else "<p>"


def _without_endless_tags(html: str) -> str:
    """Without the tags that have more attributes than any page needs."""
    parts = html.split("<")
    for index, part in enumerate(parts):
        if len(part) > MAX_ATTRIBUTES and part[:1].isalpha():
            tag, end, text = part.partition(">")
            if len(BETWEEN_ATTRIBUTES.findall(QUOTED.sub("", tag))) > MAX_ATTRIBUTES:
                parts[index] = f"p{end}{text}"
    return "<".join(parts)
