"""Figures 2 to 7 of the paper as queries: XNLI accuracies of checkpoints that differ in one property of pretraining.

A line of a figure has checkpoints that are the same in all other properties (SAME), so that nothing else explains a
difference.  Which languages a figure averages over is the paper's choice: its 71.8 % for XLM-7 is the mean of seven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from evaluation.results import ResultRow, row_of
from evaluation.summaries import is_collapsed

SEVEN_LANGUAGES = ("en", "fr", "de", "ru", "zh", "sw", "ur")  # the paper, section 3
HIGH_RESOURCE, LOW_RESOURCE = ("en", "fr"), ("sw", "ur")  # the paper, section 3
# Properties of pretraining, then of fine-tuning and scoring.
SAME = ("corpus", "languages", "alpha", "vocabulary_size", "hidden_size", "layers", "batch_blocks", "checkpoint_step",
        "trained_tokens", "selection", "data", "config")  # fmt: skip
CONSTANT = 0.05  # numbers of parameters that differ by less are "fixed capacity" (our choice: widths come in steps)

Tags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """`x` is what the axis shows, `by` what checkpoints must differ in; `free` need not be the same."""

    title: str
    x: str
    by: str
    free: tuple[str, ...] = ()


FIGURES: Mapping[int, Query] = {
    2: Query("Number of languages: transfer and dilution", "languages", "languages"),
    3: Query("Wikipedia against CommonCrawl", "corpus", "corpus"),
    4: Query("Capacity against the number of languages", "languages", "hidden_size", ("hidden_size",)),
    5: Query("Sampling of languages: high- against low-resource", "alpha", "alpha"),
    6: Query("Vocabulary size", "vocabulary_size", "vocabulary_size", ("hidden_size",)),
    7: Query("Batch size", "batch_blocks", "batch_blocks", ("trained_tokens",)),
}


@dataclass(frozen=True, slots=True)
class Point:
    """Mean accuracies of a checkpoint, one of each seed; empty where a group's languages were not all scored."""

    checkpoint: str
    x: float | str
    high_resource: tuple[float, ...]
    low_resource: tuple[float, ...]
    average: tuple[float, ...]
    seeds: int
    failed: int
    collapsed: int


@dataclass(frozen=True, slots=True)
class Line:
    """Points in the order of x.  `same` has what they share, `kind` how they were chosen where there are several."""

    same: Tags
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """`languages` are those of the seven that all its checkpoints were scored on: `average` is over these.

    `left_out`: why -> the checkpoints that are not in it.
    """

    number: int
    title: str
    x: str
    languages: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Checkpoint:
    """Scores of XNLI transfer by language and seed, with what is known of the checkpoint."""

    name: str
    tags: Tags
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    alive: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def seeds(self) -> set[int]:
        return set.intersection(*(set(found) for found in self.scores.values()))

    def means(self, languages: Sequence[str]) -> tuple[float, ...]:
        """Over these languages, of each seed that all were scored with."""
        if not languages or not all(name in self.scores for name in languages):
            return ()
        seeds = set.intersection(*(set(self.scores[name]) for name in languages))
        return tuple(fmean(self.scores[name][seed] for name in languages) for seed in sorted(seeds))


def corpus_of(release: str) -> str:
    """What the release's name says of its text: Wiki, CC, else the name itself.  Nothing checks it."""
    for start, corpus in (("wiki", "Wiki"), ("cc", "CC")):
        if release.startswith(start):
            return corpus
    return release


def on_axis(x: float | str) -> tuple[bool, float | str]:
    """A key to sort x by: Wikipedia before CommonCrawl, as in the paper."""
    return isinstance(x, str) and x != "Wiki", x


def figures_of(rows: Iterable[Mapping[str, Any]]) -> list[PaperFigure]:
    """The figures that have two points that differ.  `rows`: scores with their origin, as a report has them."""
    every = _checkpoints(rows)
    return [made for number in FIGURES if (made := _figure(number, every))]


def _checkpoints(rows: Iterable[Mapping[str, Any]]) -> list[Checkpoint]:
    """Of models whose pretraining is known and had several languages, a checkpoint for each way of selection."""
    found: dict[tuple[str, str], Checkpoint] = {}
    for stored in rows:
        row = row_of(stored)
        if row.benchmark != "xnli" or row.setting != "transfer" or not row.headline:
            continue
        if not stored.get("languages") or stored["languages"] == 1:
            continue
        name = str(stored.get("checkpoint_name") or row.checkpoint)
        made = found.setdefault((name, row.selection), Checkpoint(name, _tags(stored, row)))
        made.scores.setdefault(row.language, {})[row.seed] = row.value
        made.failed.update(stored.get("failed_seeds", ()))
        if not is_collapsed(row):
            made.alive.add(row.seed)
    return [each for each in found.values() if each.seeds()]


def _tags(stored: Mapping[str, Any], row: ResultRow) -> Tags:
    own = {"corpus": corpus_of(stored.get("release") or "") or None, "selection": row.selection, "data": row.data,
           "config": row.config}  # fmt: skip
    return {name: own.get(name, stored.get(name)) for name in (*SAME, "parameters")}


def _figure(number: int, every: Sequence[Checkpoint]) -> PaperFigure | None:
    query = FIGURES[number]
    known = [each for each in every if each.tags[query.x] is not None and each.tags[query.by] is not None]
    lines = [line for group in _alike(known, query) for line in _lines(number, group)]
    shown = [each for _, _, chosen in lines for each in chosen]
    if not shown:
        return None
    languages = tuple(name for name in SEVEN_LANGUAGES if all(name in each.scores for each in shown))
    made = [Line(same, kind, tuple(_point(each, query.x, languages) for each in chosen))
            for same, kind, chosen in lines]  # fmt: skip
    unknown = {each.name for each in every} - {each.name for each in known}
    alone = {each.name for each in known} - {each.name for each in shown}
    said = {f"{query.by} not recorded": unknown, f"none that differs in {query.by} is the same in all else": alone}
    left_out = {why: tuple(sorted(names)) for why, names in said.items() if names}
    return PaperFigure(number, query.title, query.x, languages, tuple(made), left_out)


Chosen = tuple[Tags, str, list[Checkpoint]]


def _alike(known: Sequence[Checkpoint], query: Query) -> list[list[Checkpoint]]:
    """Groups that are the same in all but x and what is free, of those that differ in what the figure is about."""
    same = [name for name in SAME if name not in (query.x, query.by, *query.free)]
    groups = _grouped(known, lambda each: tuple(each.tags[name] for name in same))
    about = (query.x, query.by)
    return [group for group in groups if all(len({each.tags[name] for each in group}) > 1 for name in about)]


def _lines(number: int, group: Sequence[Checkpoint]) -> list[Chosen]:
    """The lines of one group, each in the order of x."""
    x = FIGURES[number].x
    if number == 4:
        parts = [("", part) for part in _grouped(group, lambda each: each.tags["hidden_size"])]
    elif number == 6:
        parts = [("same width", part) for part in _grouped(group, lambda each: each.tags["hidden_size"])]
        parts += [("same number of parameters", part) for part in _constant(group)]
    else:
        parts = [("", list(group))]
    several = parts if number == 4 else [(kind, part) for kind, part in parts if len({e.tags[x] for e in part}) > 1]
    return [
        (_shared(part), kind, sorted(part, key=lambda each: (on_axis(each.tags[x]), each.name)))
        for kind, part in several
    ]


def _constant(group: Sequence[Checkpoint]) -> list[list[Checkpoint]]:
    """Parts of several widths with about the same number of parameters."""
    sized = sorted((each for each in group if each.tags["parameters"]), key=lambda each: int(each.tags["parameters"]))
    parts: list[list[Checkpoint]] = []
    for each in sized:
        if parts and each.tags["parameters"] <= (1 + CONSTANT) * parts[-1][0].tags["parameters"]:
            parts[-1].append(each)
        else:
            parts.append([each])
    return [part for part in parts if len({each.tags["hidden_size"] for each in part}) > 1]


def _grouped(every: Iterable[Checkpoint], key: Callable[[Checkpoint], Any]) -> list[list[Checkpoint]]:
    found: dict[Any, list[Checkpoint]] = {}
    for each in every:
        found.setdefault(key(each), []).append(each)
    return [found[each] for each in sorted(found, key=_in_order)]


def _in_order(value: Any) -> Any:
    """A key to sort by: numbers by size, what is not known first."""
    if isinstance(value, tuple):
        return tuple(_in_order(each) for each in value)
    return (1, value, "") if isinstance(value, int | float) else (0, 0, value or "")


def _shared(part: Sequence[Checkpoint]) -> Tags:
    return {name: part[0].tags[name] for name in SAME if len({each.tags[name] for each in part}) == 1}


def _point(each: Checkpoint, x: str, languages: Sequence[str]) -> Point:
    seeds = each.seeds()
    return Point(
        each.name, each.tags[x], each.means(HIGH_RESOURCE), each.means(LOW_RESOURCE), each.means(languages), len(seeds),
        len(each.failed - seeds), len(seeds - each.alive),
    )  # fmt: skip
