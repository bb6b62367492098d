"""Is one model better than another, or is it noise: paired over test examples, over seeds, over many languages.

The standard error is that of a bootstrap which draws the same examples for both models and draws each model's seeds;
the interval and p take Student's t with the seeds' degrees of freedom (Welch), since few seeds tell their own spread
badly.  p of a group's languages is corrected by Holm; so is p of the groups' means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from evaluation.benchmarks import benchmark_named
from evaluation.metrics.metric import Metric
from evaluation.records import DataError
from evaluation.results import FailedSeed, ResultRow, Scored
from evaluation.settings import SELECTIONS
from evaluation.summaries import is_collapsed, told_seeds

# R replicates, S seeds, N examples, K numbers of an example, L test sets
Array = NDArray[np.float64]
Verdict = Literal["better", "worse", "within noise"]
Group = tuple[str, str, str]  # benchmark, setting, metric
MEAN = "mean"
MANY = 1e9  # degrees of freedom where seeds add no spread
ALIKE = ("checkpoint", "data", "config", "code", "benchmark_version", "scorer_version")  # of all seeds of a mean
WEIGHTS_TOGETHER = 4_000_000  # numbers of one block of weights


@dataclass(frozen=True, slots=True)
class Difference:
    """`difference` is b - a in points with its interval at 1 - alpha; `language` is a test set or `mean`.

    `p` is uncorrected, `corrected_p` what the verdict on b is made of.  `seeds_a` have a score, `failed_a` have none.
    `selection`: by what b's epoch was chosen.
    """

    benchmark: str
    setting: str
    metric: str
    language: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    corrected_p: float
    verdict: Verdict
    examples: int
    seeds_a: int
    seeds_b: int
    failed_a: int = 0
    failed_b: int = 0
    selection: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences; `notes` say what a reader must know.  `regression`: b is worse somewhere beyond noise."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    alpha: float
    margin: float

    @property
    def regression(self) -> bool:
        return any(row.verdict == "worse" for row in self.differences)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"regression": self.regression}


def compare(
    rows_a: Sequence[Scored],
    rows_b: Sequence[Scored],
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
    replicates: int = 1000,
    seed: int = 1,
    failed: tuple[Sequence[FailedSeed], Sequence[FailedSeed]] = ((), ()),
) -> Comparison:
    """Compare all that both have been scored on.  A difference below `margin` points is within noise.

    `failed` are the seeds of a and of b that have no score: they are counted and told, and enter no number.  Raises
    DataError where nothing is common, or where data or scorers differ: such scores are of different things.
    """
    rows_a, rows_b, left_out = _of_one_selection(rows_a, rows_b)
    ours, theirs = _by_group(rows_a), _by_group(rows_b)
    groups = [group for group in ours if group in theirs]
    told = [note for name, side, lost in zip("AB", (ours, theirs), failed, strict=True)
            for note in _seed_notes(name, side, lost)]  # fmt: skip
    if not groups:
        said = "nothing to compare: the two have no benchmark, setting and metric in common"
        raise DataError("; ".join((said, *told)))
    notes = told + left_out
    notes += [
        f"only {'A' if group in ours else 'B'} has {' '.join(group)}" for group in sorted(set(ours) ^ set(theirs))
    ]
    found, means = [], []
    for group in groups:
        languages = [name for name in ours[group] if name in theirs[group]]
        notes += _check(group, ours[group], theirs[group])
        a, b = ([side[group][name] for name in languages] for side in (ours, theirs))
        rows = _differences(group, a, b, languages, alpha, replicates, seed)
        if len(rows) > 1:
            found += _decided(rows[:-1], alpha, margin)
        means.append(rows[-1])
    decided = [replace(row, failed_a=_lost(row, ours, failed[0]), failed_b=_lost(row, theirs, failed[1]),
                       selection=_selection(theirs, row))
               for row in (*found, *_decided(means, alpha, margin))]  # fmt: skip
    trained = {(row.benchmark, row.setting) for row in decided if row.selection != "none"}
    if any(min(row.seeds_a, row.seeds_b) < 2 and (row.benchmark, row.setting) in trained for row in decided):
        notes.append("one seed alone does not tell the spread between seeds: its intervals are over examples only")
    return Comparison(tuple(decided), tuple(dict.fromkeys(notes)), alpha, margin)


def _comparable(rows_a: Sequence[Scored], rows_b: Sequence[Scored]) -> tuple[list[str], list[str]]:
    """The benchmarks that the two can be compared on, and why others are left out."""
    named = [dict.fromkeys(each.row.benchmark for each in side) for side in (rows_a, rows_b)]
    usable, notes = [], []
    for benchmark in named[1] | named[0]:
        a, b = ([each for each in side if each.row.benchmark == benchmark] for side in (rows_a, rows_b))
        if not a or not b:
            notes.append(f"only {'A' if a else 'B'} has {benchmark}")
            continue
        try:
            compare(a, b, replicates=2)
            usable.append(benchmark)
        except DataError as error:
            notes.append(f"{benchmark}: {str(error).removeprefix(f'{benchmark}: ')}")
    return usable, notes


def compare_each(
    rows_a: Sequence[Scored],
    rows_b: Sequence[Scored],
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
    failed: tuple[Sequence[FailedSeed], Sequence[FailedSeed]] = ((), ()),
) -> Comparison:
    """As `compare`, without the benchmarks that cannot be compared: `notes` name them.  Raises DataError if all are."""
    usable, left_out = _comparable(rows_a, rows_b)
    if not usable:
        raise DataError("; ".join(left_out) or "nothing to compare: neither of the two has a score")
    a, b = ([each for each in side if each.row.benchmark in usable] for side in (rows_a, rows_b))
    found = compare(a, b, alpha=alpha, margin=margin, failed=failed)
    return replace(found, notes=tuple(dict.fromkeys((*left_out, *found.notes))))


def _of_one_selection(a: Sequence[Scored], b: Sequence[Scored]) -> tuple[list[Scored], list[Scored], list[str]]:
    """Of each benchmark and setting the rows of one selection of the epoch, if possible of one that both have; and
    what was left out."""
    ways: tuple[dict[tuple[str, str], set[str]], ...] = ({}, {})
    for side, found in zip((a, b), ways, strict=True):
        for each in side:
            found.setdefault((each.row.benchmark, each.row.setting), set()).add(each.row.selection)
    kept, notes = [], []
    for name, side, own, other in zip("AB", (a, b), ways, reversed(ways), strict=True):
        chosen = {place: min(some & other.get(place, set()) or some, key=_rank) for place, some in own.items()}
        kept.append([each for each in side if each.row.selection == chosen[each.row.benchmark, each.row.setting]])
        notes += [f"{name}: {' '.join(place)}: scores with the selection {selection} are left out"
                  for place, some in own.items() for selection in sorted(some - {chosen[place]})]  # fmt: skip
    return kept[0], kept[1], notes


def _rank(selection: str) -> tuple[int, str]:
    known = [*SELECTIONS]
    return (known.index(selection) if selection in known else len(known)), selection


def _by_group(rows: Iterable[Scored]) -> dict[Group, dict[str, list[Scored]]]:
    """group -> test set -> one entry a seed."""
    found: dict[Group, dict[str, dict[int, Scored]]] = {}
    for scored in rows:
        row = scored.row
        group = (row.benchmark, row.setting, row.metric)
        found.setdefault(group, {}).setdefault(row.language, {})[row.seed] = scored
    return {group: {name: [seeds[key] for key in sorted(seeds)] for name, seeds in languages.items()}
            for group, languages in found.items()}  # fmt: skip


def _seed_notes(name: str, side: Mapping[Group, dict[str, list[Scored]]], failed: Sequence[FailedSeed]) -> list[str]:
    """On the seeds of one side that failed, and on those that learned nothing."""
    notes = []
    for benchmark, setting in dict.fromkeys((each.benchmark, each.setting) for each in failed):
        scored = _scored_seeds(side, benchmark, setting)
        lost = {each.seed: each for each in failed
                if (each.benchmark, each.setting) == (benchmark, setting) and each.seed not in scored}  # fmt: skip
        if lost:
            why = "; ".join(each.told() for each in lost.values())
            notes.append(f"{name}: {benchmark} {setting}: {told_seeds(len(scored), len(lost))} ({why})")
    for (benchmark, setting, metric), languages in side.items():
        collapsed: dict[int, list[str]] = {}
        for language, seeds in languages.items():
            for each in seeds:
                if is_collapsed(each.row):
                    collapsed.setdefault(each.row.seed, []).append(language)
        notes += [f"{name}: {benchmark} {setting} {metric}: seed {seed} has learned nothing that shows in "
                  f"{', '.join(names)}" for seed, names in sorted(collapsed.items())]  # fmt: skip
    return notes


def _selection(side: Mapping[Group, dict[str, list[Scored]]], row: Difference) -> str:
    return next(iter(side[row.benchmark, row.setting, row.metric].values()))[0].row.selection


def _scored_seeds(side: Mapping[Group, dict[str, list[Scored]]], benchmark: str, setting: str) -> set[int]:
    return {each.row.seed for group, languages in side.items() if group[:2] == (benchmark, setting)
            for seeds in languages.values() for each in seeds}  # fmt: skip


def _lost(row: Difference, side: Mapping[Group, dict[str, list[Scored]]], failed: Sequence[FailedSeed]) -> int:
    """How many seeds of the row's benchmark and setting failed on one side."""
    found = {each.seed for each in failed if (each.benchmark, each.setting) == (row.benchmark, row.setting)}
    return len(found - _scored_seeds(side, row.benchmark, row.setting))


def _check(group: Group, ours: dict[str, list[Scored]], theirs: dict[str, list[Scored]]) -> list[str]:
    """Notes.  Raises DataError where the two are scores of different things."""
    notes = []
    if odd := sorted(set(ours) ^ set(theirs)):
        notes.append(f"{group[0]}: only one of the two was scored on {', '.join(odd)}")
    both = [name for name in ours if name in theirs]
    if not both:
        raise DataError(f"{group[0]}: no test set in common")
    rows = [[each.row for name in both for each in side[name]] for side in (ours, theirs)]
    for name, side in zip("AB", rows, strict=True):
        for what in ALIKE:
            if len({getattr(row, what) for row in side}) > 1:
                raise DataError(f"{group[0]}: the seeds of {name} differ in {what.replace('_', ' ')} "
                                f"({_some(side, what)}): wanted seeds that were made alike")  # fmt: skip
    for what in ("data", "benchmark_version", "scorer_version", "scored", "examples"):
        a, b = ({(row.language, getattr(row, what)) for row in side} for side in rows)
        if a != b:
            raise DataError(f"{group[0]}: {what.replace('_', ' ')} differ ({_some(rows[0], what)} and "
                            f"{_some(rows[1], what)}): evaluate both again on the same files")  # fmt: skip
    for what in ("selection", "config", "max_tokens", "dev"):
        if {getattr(row, what) for row in rows[0]} != {getattr(row, what) for row in rows[1]}:
            notes.append(f"{group[0]}: {what.replace('_', ' ')} differ ({_some(rows[0], what)} and "
                         f"{_some(rows[1], what)})")  # fmt: skip
    return notes


def _some(rows: Sequence[ResultRow], what: str) -> str:
    return ", ".join(sorted({str(getattr(row, what)) for row in rows}))


def _differences(
    group: Group,
    ours: list[list[Scored]],
    theirs: list[list[Scored]],
    languages: list[str],
    alpha: float,
    replicates: int,
    seed: int,
) -> list[Difference]:
    """One of each test set, and, last, that of their mean (of the only one, where there is one)."""
    benchmark = benchmark_named(group[0])
    metric = next(each for each in benchmark.metrics if each.name == group[2])
    chance = np.random.default_rng(seed)
    whole_a_LS, whole_b_LS = (_whole(metric, side) for side in (ours, theirs))
    drawn_RL = _draw(metric, ours, theirs, replicates, chance)
    rows = [
        _difference(group, name, whole_a_LS[i], whole_b_LS[i], drawn_RL[:, i], len(ours[i][0].contributions), alpha)
        for i, name in enumerate(languages)
    ]
    if len(rows) == 1:
        return rows
    averaged = [languages.index(name) for name in benchmark.averaged(languages)]
    examples = sum(rows[i].examples for i in averaged)
    mean_a_S, mean_b_S = (np.mean([whole[i] for i in averaged], axis=0) for whole in (whole_a_LS, whole_b_LS))
    drawn_R = drawn_RL[:, averaged].mean(axis=1)
    return [*rows, _difference(group, MEAN, mean_a_S, mean_b_S, drawn_R, examples, alpha)]


def _whole(metric: Metric, side: list[list[Scored]]) -> list[Array]:
    """For each test set the values of its seeds.  Raises DataError where test sets have not the same seeds."""
    if len({tuple(each.row.seed for each in seeds) for seeds in side}) > 1:
        raise DataError(f"{side[0][0].row.benchmark}: not every test set has the same seeds: evaluate the missing ones")
    return [np.array([float(metric.value(each.contributions.sum(axis=0))) for each in seeds]) for seeds in side]


def _draw(
    metric: Metric, ours: list[list[Scored]], theirs: list[list[Scored]], replicates: int, chance: np.random.Generator
) -> Array:
    """(R, L) differences b - a of bootstrap samples.

    Test sets of one size are translations of each other in most benchmarks: they draw the same examples.
    """
    weights_a_RS, weights_b_RS = (_seed_weights(len(side[0]), replicates, chance) for side in (ours, theirs))
    sizes = sorted({len(seeds[0].contributions) for seeds in ours})
    drawn_RL = np.empty((replicates, len(ours)))
    for size in sizes:
        block = max(1, min(replicates, WEIGHTS_TOGETHER // size))
        for start in range(0, replicates, block):
            part = slice(start, min(start + block, replicates))
            counts_RN = _drawn(size, part.stop - start, chance)
            places = [place for place, seeds in enumerate(ours) if len(seeds[0].contributions) == size]
            a_RL, b_RL = (
                _resampled(metric, [side[place] for place in places], counts_RN, weights_RS[part])
                for side, weights_RS in ((ours, weights_a_RS), (theirs, weights_b_RS))
            )
            drawn_RL[part, places] = b_RL - a_RL
    return drawn_RL


def _drawn(size: int, replicates: int, chance: np.random.Generator) -> Array:
    """(R, N) how often each example is drawn, of `size` draws with replacement."""
    drawn_RN = chance.integers(size, size=(replicates, size)) + size * np.arange(replicates)[:, None]
    return np.bincount(drawn_RN.ravel(), minlength=replicates * size).reshape(replicates, size).astype(np.float64)


def _seed_weights(seeds: int, replicates: int, chance: np.random.Generator) -> Array:
    """(R, S) weights that sum to 1; spread so that a mean over them has the variance of a mean over seeds."""
    drawn_RS = chance.multinomial(seeds, np.full(seeds, 1 / seeds), replicates) / seeds
    widened = math.sqrt(seeds / (seeds - 1)) if seeds > 1 else 0.0
    spread_RS: Array = 1 / seeds + widened * (drawn_RS - 1 / seeds)
    return spread_RS


def _resampled(metric: Metric, side: list[list[Scored]], counts_RN: Array, weights_RS: Array) -> Array:
    """(R, L) values of test sets of one size, in one product: one for each seed reads the counts again each time."""
    together_NLSK = np.stack([[each.contributions for each in seeds] for seeds in side]).transpose(2, 0, 1, 3)
    sums_RLSK = (counts_RN @ together_NLSK.reshape(len(together_NLSK), -1)).reshape(-1, *together_NLSK.shape[1:])
    weighted: Array = (metric.value(sums_RLSK) * weights_RS[:, None]).sum(axis=2)
    return weighted


def _difference(
    group: Group, language: str, a_S: Array, b_S: Array, drawn_R: Array, examples: int, alpha: float
) -> Difference:
    difference, error = float(b_S.mean() - a_S.mean()), float(drawn_R.std(ddof=1))
    freedom = _freedom(a_S, b_S, error)
    half = float(student.ppf(1 - alpha / 2, freedom)) * error
    if error > 1e-12:
        p = float(2 * student.sf(abs(difference) / error, freedom))
    else:
        p = 1.0 if abs(difference) < 1e-12 else 0.0
    benchmark, setting, metric = group
    return Difference(benchmark, setting, metric, language, float(a_S.mean()), float(b_S.mean()), difference,
                      difference - half, difference + half, p, p, "within noise", examples, len(a_S),
                      len(b_S))  # fmt: skip


def _freedom(a_S: Array, b_S: Array, error: float) -> float:
    """Welch's degrees of freedom: examples are many, seeds are few."""
    parts = [(float(side.var(ddof=1)) / len(side), len(side) - 1) for side in (a_S, b_S) if len(side) > 1]
    uncertain = sum(variance**2 / freedom for variance, freedom in parts)
    return min(MANY, max(1.0, error**4 / uncertain)) if uncertain > 0 else MANY


def _decided(rows: Sequence[Difference], alpha: float, margin: float) -> list[Difference]:
    """With p corrected over these rows (Holm) and the verdict."""
    order = sorted(range(len(rows)), key=lambda place: rows[place].p)
    corrected, largest = [0.0] * len(rows), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, rows[place].p * (len(rows) - rank)))
        corrected[place] = largest
    return [replace(row, corrected_p=p, verdict=_verdict(row, p, alpha, margin))
            for row, p in zip(rows, corrected, strict=True)]  # fmt: skip


def _verdict(row: Difference, p: float, alpha: float, margin: float) -> Verdict:
    if p >= alpha or abs(row.difference) < margin:
        return "within noise"
    return "better" if row.difference > 0 else "worse"
