"""The records of the corpus: a document, and the bucket that its perplexity puts it in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

AMOUNTS = ("documents", "paragraphs", "characters", "bytes")  # what statistics count of text


class Bucket(StrEnum):
    """Thirds of a language by perplexity (CCNet); `all` where no language model exists."""

    HEAD = "head"
    MIDDLE = "middle"
    TAIL = "tail"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Document:
    """One page.  `text` is CCNet's raw_content: lines joined by newlines, the title not among them.

    `original_length` is the record's length in bytes (WET: its Content-Length, the title included);
    `original_nlines` counts the lines of the text as extracted.
    """

    url: str
    date: str
    digest: str
    title: str
    text: str
    cc_segment: str
    original_length: int
    original_nlines: int


class CorpusError(ValueError):
    """Input that ccnet cannot process: what was found, what was wanted, what to do."""
