"""The texts that a benchmark scores on, as a corpus must not have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluation.benchmarks import read_splits
from evaluation.records import Choice, Classified, Example, Parts, Question, Rated, Tagged, Translated


def evaluated_parts(name: str, data: Path) -> tuple[Parts, ...]:
    """The published dev and test sets of a benchmark, its own translations of them included; no training set, nor what
    is held out from one.  Raises DataError."""
    splits = read_splits(name, data)
    return splits.test, splits.translated_test, splits.dev if splits.dev_is == "dev" else {}


def evaluated_texts(name: str, data: Path) -> Iterator[str]:
    """The texts of those sets.  Raises DataError."""
    for parts in evaluated_parts(name, data):
        for examples in parts.values():
            for example in examples:
                yield from texts_of(example)


def texts_of(example: Example) -> tuple[str, ...]:
    """Premise and hypothesis, question and passage, the words of a tagged sentence: each a text of its own."""
    match example:
        case Classified() | Rated():
            return example.first, example.second or ""
        case Choice():
            return example.passage, example.question, *example.answers
        case Tagged():
            return (" ".join(example.words),)
        case Question():
            return example.context, example.question
        case Translated():
            return example.text, example.translation
