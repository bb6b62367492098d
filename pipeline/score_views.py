"""Scores as readers are shown them: of a checkpoint by benchmark, of a benchmark by checkpoint and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.errors import MissingArtifact
from pipeline.failed_seeds import failed_by_place, told_failed
from pipeline.models_reader import Checkpoint, ModelsReader
from pipeline.result_store import StoredFailure, newest, standing_failures
from pipeline.score_rows import StoredResult
from pipeline.verdicts import Change

if TYPE_CHECKING:
    from evaluation.benchmark import Benchmark

PAPER = "XLM-R"  # the paper's large model
KEPT_TABLES = 10_000  # of so many checkpoints, versions of them and milestones
Way = tuple[str, str]  # setting, and what selected the epoch: scores of two ways are never in one mean or table


@dataclass(frozen=True, slots=True)
class Score:
    """A test set's score in percent, over seeds.  `change`: against the last results; `lineage`: keys of manifests."""

    language: str
    mean: float
    deviation: float
    seeds: int
    examples: int
    chance: float | None
    baseline: float | None
    paper: float | None
    change: Change | None
    flags: tuple[str, ...]
    lineage: tuple[str, ...]
    failed: int = 0  # seeds without a score
    collapsed: int = 0  # seeds whose score says that nothing was learned


@dataclass(frozen=True, slots=True)
class BenchmarkScores:
    """A metric of a benchmark in one setting.  `mean` is over test sets; `paper_mean` and `mean_beside_paper`, the
    paper's and ours, over the `paper_test_sets` that both have."""

    benchmark: str
    title: str
    setting: str
    selection: str
    metric: str
    headline: bool
    mean: float
    mean_beside_paper: float | None
    paper_mean: float | None
    paper_test_sets: int
    scored_at: str
    scores: tuple[Score, ...]
    failures: tuple[str, ...] = ()  # of each seed that failed: which, and why


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """A benchmark in the overview; `best` is the highest mean of a checkpoint, `paper` the paper's over the same test
    sets, None where it does not have them all."""

    name: str
    title: str
    metric: str
    checkpoints: int
    best: float
    best_checkpoint: str
    paper: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """The mean of a benchmark's test sets when they were scored."""

    at: str
    checkpoint: str
    version: str
    mean: float
    trained_tokens: int | None


@dataclass(frozen=True, slots=True)
class PublishedRow:
    system: str
    average: float | None
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BenchmarkView:
    """One setting, selection and metric of a benchmark: `means` and `tables` by checkpoint (of the table: test set ->
    mean); `ways` are those that something was scored in."""

    name: str
    title: str
    licence: str
    home: str
    metric: str
    setting: str
    selection: str
    ways: tuple[Way, ...]
    languages: tuple[str, ...]
    means: dict[str, float]
    tables: dict[str, dict[str, float]]
    chance: float | None
    published: tuple[PublishedRow, ...]
    history: tuple[Point, ...]
    failures: tuple[str, ...]


def scores_of(
    reader: ModelsReader, checkpoint: Checkpoint, changes: Iterable[Change] = ()
) -> tuple[BenchmarkScores, ...]:
    """All that one version of a checkpoint was scored on; of a seed that was scored again the last."""
    own = newest(reader.results_of(checkpoint.key))
    known = {(each.benchmark, each.setting, each.selection, each.metric, each.language): each for each in changes}
    groups: dict[tuple[str, str, str, str], list[StoredResult]] = {}
    for each in own:
        row = each.row
        groups.setdefault((row.benchmark, row.setting, row.selection, row.metric), []).append(each)
    failures = standing_failures(reader.failures_of(checkpoint.key), reader.results_of(checkpoint.key))
    return tuple(_benchmark_scores(found, known, failures) for found in groups.values())


def unscored(reader: ModelsReader, checkpoint: Checkpoint) -> tuple[str, ...]:
    """A line on each benchmark and way of which all seeds failed."""
    results = reader.results_of(checkpoint.key)
    scored = {each.row.place[:3] for each in results}
    failures = standing_failures(reader.failures_of(checkpoint.key), results)
    lost = failed_by_place(each for each in failures if each.row.place not in scored)
    return tuple(told_failed(some, 0) for some in lost.values())


def _benchmark_scores(
    found: Sequence[StoredResult],
    changes: Mapping[tuple[str, str, str, str, str], Change],
    failures: Sequence[StoredFailure],
) -> BenchmarkScores:
    from evaluation.benchmarks import benchmark_named
    from evaluation.summaries import summarise

    first, benchmark = found[0].row, benchmark_named(found[0].row.benchmark)
    by_place: dict[tuple[str, ...], list[StoredResult]] = {}
    for each in found:
        by_place.setdefault(each.row.place, []).append(each)
    lost = [each.row for each in failures if each.row.place == first.place[:3]]
    scores = []
    for summary in summarise((each.row for each in found), lost):
        own = by_place[summary.place]
        row = own[-1].row
        scores.append(Score(
            row.language, summary.mean, summary.deviation, summary.seeds, row.examples, row.chance, row.baseline,
            row.paper, changes.get((row.benchmark, row.setting, row.selection, row.metric, row.language)),
            tuple(dict.fromkeys(flag for each in own for flag in each.row.flags)),
            tuple(each.origin.lineage for each in own), summary.failed, summary.collapsed,
        ))  # fmt: skip
    ours = {score.language: score.mean for score in scores}
    paper = {score.language: score.paper for score in scores if score.paper is not None}
    return BenchmarkScores(
        first.benchmark, benchmark.title, first.setting, first.selection, first.metric, first.headline,
        benchmark.mean_of(ours), benchmark.mean_of({name: ours[name] for name in paper}) if paper else None,
        benchmark.mean_of(paper) if paper else None, len(paper),
        max(each.origin.written_at for each in found), tuple(scores), tuple(each.told() for each in lost),
    )  # fmt: skip


def benchmark_rows(reader: ModelsReader) -> list[BenchmarkRow]:
    """Every benchmark that something was scored on, by its headline metric in `shown_ways`."""
    from evaluation.benchmarks import BENCHMARKS

    rows = []
    for name, way in shown_ways(reader).items():
        benchmark = BENCHMARKS[name]
        tables = {
            each.name: found for each in reader.newest() if (found := headline_tables(reader, each).get((name, way)))
        }
        means = {checkpoint: benchmark.mean_of(table) for checkpoint, table in tables.items()}
        best = max(means, key=means.__getitem__)
        paper = next((row.scores for row in _published(benchmark, way[0]) if row.system == PAPER), {})
        same = {test_set: paper[test_set] for test_set in tables[best] if test_set in paper}
        rows.append(BenchmarkRow(
            name, benchmark.title, benchmark.headline, len(means), means[best], best,
            benchmark.mean_of(same) if len(same) == len(tables[best]) else None,
        ))  # fmt: skip
    return rows


def shown_ways(reader: ModelsReader) -> dict[str, Way]:
    """benchmark -> the way that overviews show: the first that the newest version of any checkpoint was scored in."""
    from evaluation.benchmarks import BENCHMARKS

    scored = {place for each in reader.newest() for place in headline_tables(reader, each)}
    return {
        name: _ordered_ways(benchmark, (way for known, way in scored if known == name))[0]
        for name, benchmark in BENCHMARKS.items()
        if any(known == name for known, _ in scored)
    }


def headline_tables(reader: ModelsReader, checkpoint: Checkpoint) -> Mapping[tuple[str, Way], dict[str, float]]:
    """Of one version of a checkpoint: benchmark and way -> test set -> mean of the headline metric over seeds."""
    return _headline_tables(reader, checkpoint.key, reader.lineage_of(checkpoint.key))


@lru_cache(KEPT_TABLES)
def _headline_tables(
    reader: ModelsReader, key: str, lineage: frozenset[str]
) -> Mapping[tuple[str, Way], dict[str, float]]:
    """Remembered, since an overview shows those of all; `lineage` tells when there are new scores."""
    rows: dict[tuple[str, Way], list[StoredResult]] = {}
    for each in reader.results_of(key):
        if each.row.headline:
            rows.setdefault((each.row.benchmark, _way(each)), []).append(each)
    return {place: _table(some) for place, some in rows.items()}


def mean_of(benchmark: str, table: Mapping[str, float]) -> float:
    from evaluation.benchmarks import benchmark_named

    return benchmark_named(benchmark).mean_of(table)


def _way(each: StoredResult) -> Way:
    return each.row.setting, each.row.selection


def _ordered_ways(benchmark: Benchmark, ways: Iterable[Way]) -> tuple[Way, ...]:
    """As the benchmark has its settings; what evaluation/settings.py does not know comes last."""
    from evaluation.settings import SELECTIONS

    settings, selections = (*benchmark.settings,), (*SELECTIONS,)

    def place(way: Way) -> tuple[int, int, Way]:
        setting, selection = way
        return (
            settings.index(setting) if setting in settings else len(settings),
            selections.index(selection) if selection in selections else len(selections),
            way,
        )

    return tuple(sorted(set(ways), key=place))


def benchmark_view(reader: ModelsReader, name: str, setting: str = "", selection: str = "") -> BenchmarkView:
    """Of the current version of each checkpoint; the history has all.  Raises MissingArtifact."""
    from evaluation.benchmarks import BENCHMARKS

    rows = [each for each in reader.results() if each.row.benchmark == name and each.row.headline]
    if name not in BENCHMARKS or not rows:
        raise MissingArtifact(f"{name}: no scores of a benchmark of that name in {reader.store.root}")
    benchmark = BENCHMARKS[name]
    ways = _ordered_ways(benchmark, map(_way, rows))
    asked = [way for way in ways if setting in ("", way[0]) and selection in ("", way[1])]
    if not asked:
        there = ", ".join(" ".join(way) for way in ways)
        said = " ".join(filter(None, (setting, selection)))
        raise MissingArtifact(f"{name}: nothing was scored in the setting {said}: wanted {there}")
    shown = shown_ways(reader).get(name)
    chosen = shown if shown in asked else asked[0]
    rows = [each for each in rows if _way(each) == chosen]
    of_checkpoint: dict[str, list[StoredResult]] = {}
    for each in rows:
        of_checkpoint.setdefault(each.origin.checkpoint_key, []).append(each)
    tables = {
        each.name: _table(of_checkpoint[each.key]) for each in reader.newest() if each.key in of_checkpoint
    }  # the newest first
    languages = _ordered({language for table in tables.values() for language in table}, benchmark)
    return BenchmarkView(
        name, benchmark.title, benchmark.licence, benchmark.home, rows[0].row.metric, *chosen, ways, languages,
        {name: benchmark.mean_of(table) for name, table in tables.items()}, tables, _chance(rows),
        _published(benchmark, chosen[0]), _history(benchmark, rows), _failures(reader, name, chosen),
    )  # fmt: skip


def _table(rows: Iterable[StoredResult]) -> dict[str, float]:
    """Test set -> mean over seeds, of one checkpoint, benchmark, way and metric."""
    values: dict[str, list[float]] = {}
    for each in newest(rows):
        values.setdefault(each.row.language, []).append(each.row.value)
    return {language: fmean(found) for language, found in values.items()}


def _ordered(languages: set[str], benchmark: Benchmark) -> tuple[str, ...]:
    """As the paper's table has them, the others after them."""
    paper = [language for language in benchmark.paper if language in languages]
    return (*paper, *sorted(languages - set(paper)))


def _published(benchmark: Benchmark, setting: str) -> tuple[PublishedRow, ...]:
    return tuple(
        PublishedRow(row.system, row.average, dict(row.scores))
        for row in benchmark.published
        if row.setting == setting and row.table != "5"
    )


def _chance(rows: Iterable[StoredResult]) -> float | None:
    """A random answer's score, where all test sets have the same."""
    found = {each.row.chance for each in rows}
    return found.pop() if len(found) == 1 else None


def _failures(reader: ModelsReader, name: str, way: Way) -> tuple[str, ...]:
    """A line on each shown checkpoint some of whose seeds failed."""
    told = []
    for checkpoint in reader.newest():
        place = (name, *way)
        results = [each for each in reader.results_of(checkpoint.key) if each.row.place[:3] == place]
        failed = standing_failures(
            (each for each in reader.failures_of(checkpoint.key) if each.row.place == place), results
        )
        if failed:
            told.append(f"{checkpoint.name}: {told_failed(failed, len({each.row.seed for each in newest(results)}))}")
    return tuple(told)


def _history(benchmark: Benchmark, rows: Iterable[StoredResult]) -> tuple[Point, ...]:
    """A point for each time that a checkpoint was scored: rows of one checkpoint, settings, code, data and scorer."""
    found: dict[tuple[str, ...], list[StoredResult]] = {}
    for each in rows:
        row = each.row
        made = (each.origin.checkpoint_key, row.config, row.code, row.data, str(row.scorer_version))
        found.setdefault(made, []).append(each)
    points = []
    for (key, *_), some in found.items():
        origin = some[-1].origin
        mean = benchmark.mean_of(_table(some))
        points.append(Point(origin.written_at, origin.checkpoint_name, key.split("/")[-2], mean, origin.trained_tokens))
    return tuple(sorted(points, key=lambda point: point.at))
