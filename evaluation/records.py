"""What the readers give and the heads take: one example of each kind of task."""

from __future__ import annotations

from dataclasses import dataclass


class DataError(ValueError):
    """A benchmark file that is missing or not in its format: what was found, what was wanted."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A text, or a pair, with its label as a string (index orders differ between code bases)."""

    first: str
    second: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence's words and their IOB2 tags."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a context; each answer is (text, first character in the context)."""

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]


Example = Classified | Tagged | Question


@dataclass(frozen=True, slots=True)
class Splits:
    """Training and selection data in the source language, test data by language."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: dict[str, tuple[Example, ...]]
