"""A metric: what each example contributes, and the value in percent of the sums over examples.

A bootstrap sample is a weighting of examples, so its value is that of weighted sums: nothing is scored twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from evaluation.metrics.answers import Normalizer, answer_scores, normalize_answer, normalize_squad
from evaluation.metrics.entities import entity_counts
from evaluation.records import Choice, Classified, Example, Question, Rated, Tagged

# N examples, K numbers of an example
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """`contributions(gold, predicted, test set) -> (N, K)`; `value` takes sums (..., K) over examples to percent."""

    name: str
    contributions: Callable[[Sequence[Example], Sequence[Any], str], Numbers]
    value: Callable[[Numbers], Numbers]

    def score(self, gold: Sequence[Example], predicted: Sequence[Any], language: str) -> float:
        """Raises ValueError where there is nothing to score or the lengths differ."""
        if len(gold) != len(predicted) or not gold:
            raise ValueError(f"{len(predicted)} predictions for {len(gold)} examples")
        return float(self.value(self.contributions(gold, predicted, language).sum(axis=0)))


def mean(sums: Numbers) -> Numbers:
    """Of (value, 1); 0 of no example, as a draw of few examples that were drawn before may have it."""
    return 100.0 * sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], 1.0)


def f1(sums: Numbers) -> Numbers:
    """Of (correct, predicted, gold); 0 where nothing is correct."""
    wanted = sums[..., 1] + sums[..., 2]
    return 200.0 * sums[..., 0] / np.where(wanted > 0, wanted, 1.0)


def correlation(sums: Numbers) -> Numbers:
    """Pearson's of (1, x, y, xx, yy, xy); 0 where one side is constant (it has no value there), or of no example."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    n = np.where(n > 0, n, 1.0)
    spread = np.maximum(xx - x * x / n, 0.0) * np.maximum(yy - y * y / n, 0.0)
    known = spread > 1e-18
    return 100.0 * np.where(known, (xy - x * y / n) / np.sqrt(np.where(known, spread, 1.0)), 0.0)


def _one_if_equal(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
    return np.array([(float(_truth(example) == found), 1.0) for example, found in zip(gold, predicted, strict=True)])


def _truth(example: Example) -> str:
    """The label; of a choice, the answer's number from 1."""
    if isinstance(example, Choice):
        return str(example.right + 1)
    assert isinstance(example, Classified)
    return example.label


def _positive_counts(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
    """F1 of the class "1", as GLUE's for MRPC and QQP."""
    pairs = [(_truth(example) == "1", found == "1") for example, found in zip(gold, predicted, strict=True)]
    return np.array([(float(truth and found), float(found), float(truth)) for truth, found in pairs])


def _entity_counts(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
    tags = [example.tags for example in gold if isinstance(example, Tagged)]
    return np.array(entity_counts(tags, predicted), dtype=np.float64)


def _answer(side: int, normalize: Normalizer) -> Callable[[Sequence[Example], Sequence[Any], str], Numbers]:
    def contributions(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
        context_language = language.split("-")[0]
        rows = []
        for question, found in zip(gold, predicted, strict=True):
            assert isinstance(question, Question)
            texts = [text for text, _ in question.answers]
            rows.append((answer_scores(texts, found, context_language, normalize)[side], 1.0))
        return np.array(rows)

    return contributions


def _moments(rank: bool) -> Callable[[Sequence[Example], Sequence[Any], str], Numbers]:
    def contributions(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
        x = np.array([example.value for example in gold if isinstance(example, Rated)])
        y = np.array([float(found) for found in predicted])
        if rank:
            x, y = rankdata(x), rankdata(y)
        x, y = x - x.mean(), y - y.mean()
        return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    return contributions


def _found_itself(gold: Sequence[Example], predicted: Sequence[Any], language: str) -> Numbers:
    """Retrieval: the translation of line i is line i."""
    return np.array([(float(index == found), 1.0) for index, found in enumerate(predicted)])


ACCURACY = Metric("accuracy", _one_if_equal, mean)
POSITIVE_F1 = Metric("f1", _positive_counts, f1)
ENTITY_F1 = Metric("f1", _entity_counts, f1)
MLQA_F1 = Metric("f1", _answer(0, normalize_answer), mean)
MLQA_EXACT = Metric("exact_match", _answer(1, normalize_answer), mean)
SQUAD_F1 = Metric("f1", _answer(0, normalize_squad), mean)
SQUAD_EXACT = Metric("exact_match", _answer(1, normalize_squad), mean)
PEARSON = Metric("pearson", _moments(rank=False), correlation)
SPEARMAN = Metric("spearman", _moments(rank=True), correlation)
RETRIEVAL_ACCURACY = Metric("accuracy", _found_itself, mean)
