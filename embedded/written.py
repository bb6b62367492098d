"""The small crawl written for the tests, for machines that reach nothing: pages in six languages, some broken.

It holds what a crawl holds: menus that every page of a site repeats, copies, pages that are too short, not HTML, in
another charset, or wrongly declared.
"""

from __future__ import annotations

from collections.abc import Iterator

from embedded.record import Page
from embedded.sentences import WORDS, combination, sentence

PAGES = 24  # of each language
PARAGRAPHS, SENTENCES = 5, 4
# The crawl takes the first combinations, the reference the rest: no sentence is in both.
CRAWL_COMBINATIONS = 2_400
LEGACY = {"de": "iso-8859-1", "ru": "windows-1251"}
MENU = ("Home | About | Contact | Search", "This site uses cookies. Read more | Accept all", "All rights reserved")


def written_pages() -> list[Page]:
    """About 160 pages; the same on every call."""
    pages = [page for language in WORDS for page in _language_pages(language)]
    return pages + _odd_pages()


def reference_sentences() -> dict[str, list[str]]:
    """language -> sentences that the crawl does not have."""
    return {
        language: [
            sentence(words, *combination(number))
            + f" {words.who[number % 8]} {words.does[number // 8 % 8]}, {words.because[number % 4]}."
            for number in range(CRAWL_COMBINATIONS, 4_096)
        ]
        for language, words in WORDS.items()
    }


def _language_pages(language: str) -> Iterator[Page]:
    for number in range(PAGES):
        paragraphs = [_paragraph(language, number * PARAGRAPHS + part) for part in range(PARAGRAPHS)]
        yield _page(language, f"page-{number}", paragraphs)


def _paragraph(language: str, number: int) -> str:
    words = WORDS[language]
    first = number * SENTENCES
    said = [sentence(words, *combination(first + index)) for index in range(SENTENCES)]
    reason = words.because[number % len(words.because)]
    return " ".join([*said, f"{words.who[number % 8]} {words.does[number // 8 % 8]}, {reason}."])


def _page(language: str, name: str, paragraphs: list[str], charset: str = "utf-8") -> Page:
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    menu, cookies, rights = MENU
    html = (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="{charset}"><title>{paragraphs[0][:60]}</title>'
        f"</head><body><nav>{menu}</nav><div>{cookies}</div>\n{body}\n<footer>{rights}</footer></body></html>"
    )
    url = f"http://{language}.written.example/{name}.html"
    return Page(url, html.encode(charset), f"text/html; charset={charset}")


def _odd_pages() -> list[Page]:
    """Copies, legacy and wrongly declared charsets, a stub, a picture, an empty body, NUL bytes."""
    host = "http://odd.written.example"
    copied = _page("en", "page-0", [_paragraph("en", part) for part in range(PARAGRAPHS)])
    pages = [Page(f"{host}/copy-{n}.html", copied.payload, copied.content_type) for n in range(3)]
    for number, (language, charset) in enumerate(LEGACY.items()):
        paragraphs = [_paragraph(language, 400 + number * 8 + part) for part in range(PARAGRAPHS)]
        legacy = _page(language, "legacy", paragraphs, charset)
        pages.append(legacy)
        pages.append(Page(f"{host}/wrong-{charset}.html", legacy.payload, "text/html; charset=utf-8"))
    pages.append(Page(f"{host}/stub.html", b"<html><title>Stub</title><body>Soon.</body></html>"))
    pages.append(Page(f"{host}/picture.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png"))
    pages.append(Page(f"{host}/empty.html", b"", "text/html"))
    nul = _page("fr", "nul", [_paragraph("fr", 450 + part) for part in range(PARAGRAPHS)])
    pages.append(Page(f"{host}/nul.html", nul.payload.replace(b"</p>", b"\0</p>"), nul.content_type))
    return pages
