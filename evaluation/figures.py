"""Figures 2 to 7 of the paper as queries: XNLI averages of many checkpoints against one property of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evaluation.results import ResultRow

HIGH_RESOURCE, LOW_RESOURCE = ("en", "fr"), ("sw", "ur")  # the paper, section 3
# Figure -> the property on its x axis, as checkpoints' tags name it.
FIGURES = {2: "languages", 3: "corpus", 4: "hidden", 5: "alpha", 6: "vocabulary", 7: "batch"}


@dataclass(frozen=True, slots=True)
class Point:
    """Mean accuracies of a checkpoint; None where a group's languages were not all scored."""

    x: float | str
    series: str
    average: float
    high_resource: float | None
    low_resource: float | None
    languages: int
    seeds: int


def points(
    rows: Iterable[ResultRow], tags: Mapping[str, Mapping[str, float | str]], x: str, series: str = "corpus"
) -> list[Point]:
    """One point a checkpoint.  `tags`: checkpoint digest -> its properties; checkpoints without `x` are left out."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        if row.benchmark == "xnli" and row.headline and x in tags.get(row.checkpoint, {}):
            found.setdefault(row.checkpoint, {}).setdefault(row.language, {})[row.seed] = row.value
    made = [_point(tags[checkpoint], scores, x, series) for checkpoint, scores in found.items()]
    return sorted(made, key=lambda point: (str(point.series), str(type(point.x)), point.x))


def _point(tags: Mapping[str, float | str], scores: Mapping[str, Mapping[int, float]], x: str, series: str) -> Point:
    means = {language: fmean(seeds.values()) for language, seeds in scores.items()}
    seeds = min(len(found) for found in scores.values())
    return Point(tags[x], str(tags.get(series, "")), fmean(means.values()), _group(means, HIGH_RESOURCE),
                 _group(means, LOW_RESOURCE), len(means), seeds)  # fmt: skip


def _group(means: Mapping[str, float], languages: Sequence[str]) -> float | None:
    return fmean(means[name] for name in languages) if all(name in means for name in languages) else None
