"""Scores over seeds: their mean, and how many seeds failed or collapsed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evaluation.results import COLLAPSED, FailedSeed, ResultRow

Place = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A score over seeds; `deviation` is the sample's, 0 for one seed.

    `seeds` have a score, `failed` ones have none; `collapsed` ones have one that says that nothing was learned.
    """

    place: Place
    mean: float
    deviation: float
    least: float
    most: float
    seeds: int
    failed: int
    collapsed: int


def summarise(rows: Iterable[ResultRow], failures: Iterable[FailedSeed] = ()) -> list[Summary]:
    """Over seeds, in the order of the rows.  A seed that has a score has not failed."""
    found: dict[Place, dict[int, ResultRow]] = {}
    for row in rows:
        found.setdefault(row.place, {})[row.seed] = row
    failed: dict[tuple[str, str, str], set[int]] = {}
    for failure in failures:
        failed.setdefault(failure.place, set()).add(failure.seed)
    return [_summary(place, seeds, failed.get(place[:3], set())) for place, seeds in found.items()]


def _summary(place: Place, seeds: dict[int, ResultRow], failed: set[int]) -> Summary:
    values = [row.value for row in seeds.values()]
    return Summary(
        place,
        float(np.mean(values)),
        float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        min(values),
        max(values),
        len(values),
        len(failed - set(seeds)),
        sum(is_collapsed(row) for row in seeds.values()),
    )


def is_collapsed(row: ResultRow) -> bool:
    """Whether the score is chance's, or one answer was given to all; never where nothing was trained (retrieval)."""
    return row.selection != "none" and any(flag in COLLAPSED for flag in row.flags)


def told_seeds(scored: int, failed: int = 0, collapsed: int = 0) -> str:
    """`5 seeds`, or `4 of 5 seeds, 1 failed, 1 collapsed`."""
    of_all = f"{scored} of {scored + failed}" if failed else str(scored)
    said = f"{of_all} seed{'s' * (scored + failed != 1)}"
    return said + (f", {failed} failed" if failed else "") + (f", {collapsed} collapsed" if collapsed else "")
