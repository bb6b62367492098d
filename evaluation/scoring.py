"""Scores of predictions, with no model: within an evaluation, and for files (`score`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import benchmark_named
from evaluation.metrics.metric import Metric, Numbers
from evaluation.predictions import check_predictions, read_predictions
from evaluation.readers.folders import digest
from evaluation.records import Choice, Classified, DataError, Example, Question, Rated, Tagged
from evaluation.results import SCORER_VERSION


@dataclass(frozen=True, slots=True)
class FileScore:
    """A score of a file of predictions, not rounded; `data` is the gold file's digest."""

    benchmark: str
    language: str
    metric: str
    value: float
    examples: int
    headline: bool
    chance: float | None
    data: str
    scorer_version: int = SCORER_VERSION


def score(benchmark: str, gold: Path, predictions: Path, language: str = "") -> list[FileScore]:
    """The benchmark's official metrics of a published file with its answers and a file of predictions.

    A gold file with several languages wants the predictions of all in its order, and gives a row for each and one for
    their mean, as the benchmark's authors average.  `language` names the test set where the gold file's name does not.
    Raises DataError.
    """
    known = benchmark_named(benchmark)
    parts = known.read_gold(_existing(gold))
    if language and language not in parts and len(parts) > 1:
        raise DataError(f"{gold}: no {language!r}: wanted one of {', '.join(parts)}")
    if language:
        parts = {language: parts.get(language) or next(iter(parts.values()))}
    names = known.gold_order(gold) if known.gold_order and not language else []
    order = names or [name for name, examples in parts.items() for _ in examples]
    waiting = {name: iter(examples) for name, examples in parts.items()}
    found = read_predictions(_existing(predictions), known, [next(waiting[name]) for name in order])
    data, rows = digest([gold]), list[FileScore]()
    for name, examples in parts.items():
        own = [value for value, language_of_it in zip(found, order, strict=True) if language_of_it == name]
        for metric, value, _ in score_examples(known, name, examples, own):
            rows.append(FileScore(benchmark, name, metric, value, len(examples), metric == known.headline,
                                  chance_of(known, metric, len(examples)), data))  # fmt: skip
    if len(parts) > 1:
        rows += [_mean(known, metric, rows) for metric in known.metrics]
    return rows


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: {'a folder: name one file' if path.is_dir() else 'no such file'}")
    return path


def _mean(benchmark: Benchmark, metric: Metric, rows: Sequence[FileScore]) -> FileScore:
    averaged = benchmark.averaged(row.language for row in rows)
    own = [row for row in rows if row.metric == metric.name and row.language in averaged]
    return FileScore(benchmark.name, "mean", metric.name, float(np.mean([row.value for row in own])),
                     sum(row.examples for row in own), metric.name == benchmark.headline, own[0].chance,
                     own[0].data)  # fmt: skip


def score_examples(
    benchmark: Benchmark, language: str, gold: Sequence[Example], predicted: Sequence[object]
) -> list[tuple[str, float, Numbers]]:
    """(metric, value in percent, what each example contributed).  Raises DataError where nothing can be scored."""
    if not gold:
        raise DataError(f"{benchmark.name} {language}: no example: there is no score")
    if len(gold) != len(predicted):
        raise DataError(f"{benchmark.name} {language}: {len(predicted)} predictions for {len(gold)} examples")
    check_predictions(benchmark, gold, predicted, f"{benchmark.name} {language}")
    found = []
    for metric in benchmark.metrics:
        try:
            contributions = metric.contributions(gold, predicted, language)
        except ValueError as error:
            raise DataError(f"{benchmark.name} {language}: {error}") from error
        found.append((metric.name, float(metric.value(contributions.sum(axis=0))), contributions))
    return found


def chance_of(benchmark: Benchmark, metric: str, examples: int) -> float | None:
    """A random answer's score in percent; None where it is no number of the benchmark's, as that of GLUE's F1."""
    if benchmark.task == "classification" and metric != benchmark.headline:
        return None
    if benchmark.task == "retrieval":
        return 100.0 / examples
    return benchmark.chance


def baseline_predictions(
    benchmark: Benchmark, train: Sequence[Example], test: Sequence[Example]
) -> tuple[str, list[object]]:
    """(what it is, predictions) of an answer that needs no understanding; empty for retrieval."""
    if benchmark.task == "span":
        return "the context's first word", [_first_word(example) for example in test if isinstance(example, Question)]
    if benchmark.task == "tagging":
        return "no entity", [("O",) * len(example.words) for example in test if isinstance(example, Tagged)]
    if benchmark.task == "regression":
        values = [example.value for example in train if isinstance(example, Rated)]
        return "the training set's mean", [float(np.mean(values))] * len(test)
    labels = [example.label for example in train if isinstance(example, Classified)]
    labels += [str(example.right + 1) for example in train if isinstance(example, Choice)]
    if not labels:
        return "", []
    return "the training set's most frequent label", [Counter(labels).most_common(1)[0][0]] * len(test)


def _first_word(question: Question) -> str:
    words = question.context.split(maxsplit=1)
    return words[0] if words else ""
