"""The paper's figures as queries over results."""

from __future__ import annotations

from dataclasses import replace

from evaluation.figures import FIGURES, points
from evaluation.results import ResultRow, row_of

OLD = {"benchmark": "xnli", "metric": "accuracy", "value": 0.0, "examples": 9, "seed": 1, "trained_on": "en",
       "headline": True, "chance": 33.3, "paper": None, "language": "en"}  # fmt: skip


def rows(checkpoint: str, **values: float) -> list[ResultRow]:
    return [replace(row_of(OLD), checkpoint=checkpoint, language=name, value=value) for name, value in values.items()]


def test_a_figure_has_a_point_for_each_checkpoint_with_its_resource_groups() -> None:
    tags = {"a": {"languages": 7, "corpus": "CC"}, "b": {"languages": 100, "corpus": "CC"}, "c": {"alpha": 0.3}}
    every = [*rows("b", en=80.0, sw=40.0), *rows("a", en=80.0, fr=70.0, sw=50.0, ur=60.0), *rows("c", en=1.0)]
    small, large = points(every, tags, FIGURES[2])
    assert (small.x, small.average, small.high_resource, small.low_resource) == (7, 65.0, 75.0, 55.0)
    assert (large.x, large.average, large.high_resource, large.languages) == (100, 60.0, None, 2)
    assert small.series == "CC"


def test_seeds_of_a_checkpoint_are_one_point() -> None:
    every = rows("a", en=80.0) + [replace(row, seed=2, value=82.0) for row in rows("a", en=80.0)]
    [point] = points(every, {"a": {"alpha": 0.7}}, FIGURES[5])
    assert (point.average, point.seeds) == (81.0, 1 + 1)
