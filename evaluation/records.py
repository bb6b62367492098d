"""What the readers give and the heads take: one example of each kind of task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Task = Literal["classification", "regression", "choice", "tagging", "span", "retrieval"]


class DataError(ValueError):
    """A benchmark file that is missing or not in its format: what was found, what was wanted."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A text, or a pair, with its label as a string (index orders differ between code bases)."""

    first: str
    second: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Rated:
    """A pair of texts with a number, such as their similarity from 0 to 5."""

    first: str
    second: str
    value: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A question on a passage with answers of which one is right; `right` counts from 0."""

    passage: str
    question: str
    answers: tuple[str, ...]
    right: int


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


@dataclass(frozen=True, slots=True)
class Translated:
    """A sentence and its translation; the task is to find the translation among all translations of the set."""

    text: str
    translation: str


Example = Classified | Rated | Choice | Tagged | Question | Translated
Parts = Mapping[str, tuple[Example, ...]]


@dataclass(frozen=True, slots=True)
class Splits:
    """Examples by language.  A test set's name begins with its language: `es`, or `es-de` for MLQA's mixed pairs.

    `scored` says which published part `test` is.  Where it is `dev`, nothing is chosen by it: a part of the training
    set is held out for that, and `dev` has that part.  `left_out` counts examples that no reader could use, by reason.
    """

    train: Parts
    dev: Parts
    test: Parts
    translated_test: Parts = field(default_factory=dict)
    scored: Literal["test", "dev"] = "test"
    dev_is: Literal["dev", "held out from train"] = "dev"
    files: tuple[Path, ...] = ()
    stand_in: str = ""
    left_out: Mapping[str, int] = field(default_factory=Counter)
