"""Scores as readers are shown them: of a checkpoint by benchmark, of a benchmark by checkpoint and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.errors import MissingArtifact
from pipeline.models_reader import Checkpoint, ModelsReader
from pipeline.result_store import StoredFailure, StoredResult, newest, standing_failures
from pipeline.verdicts import Change

if TYPE_CHECKING:
    from evaluation.benchmark import Benchmark

PAPER = "XLM-R"  # the paper's large model


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
    """A metric of a benchmark in one setting.  `mean` is over test sets, `paper_mean` over those that the paper has."""

    benchmark: str
    title: str
    setting: str
    selection: str
    metric: str
    headline: bool
    mean: float
    paper_mean: float | None
    scored_at: str
    scores: tuple[Score, ...]
    failures: tuple[str, ...] = ()  # of each seed that failed: which, and why


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """A benchmark in the overview; `best` is the highest mean of a checkpoint, `paper` the paper's."""

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
    """One setting and metric of a benchmark: `means` and `tables` by checkpoint (of the table: test set -> mean)."""

    name: str
    title: str
    licence: str
    home: str
    metric: str
    setting: str
    settings: tuple[str, ...]
    languages: tuple[str, ...]
    means: dict[str, float]
    tables: dict[str, dict[str, float]]
    chance: float | None
    published: tuple[PublishedRow, ...]
    history: tuple[Point, ...]


def scores_of(
    reader: ModelsReader, checkpoint: Checkpoint, changes: Iterable[Change] = ()
) -> tuple[BenchmarkScores, ...]:
    """All that one version of a checkpoint was scored on; of a seed that was scored again the last."""
    own = newest(reader.results_of(checkpoint.key))
    known = {(each.benchmark, each.setting, each.metric, each.language): each for each in changes}
    groups: dict[tuple[str, str, str, str], list[StoredResult]] = {}
    for each in own:
        row = each.row
        groups.setdefault((row.benchmark, row.setting, row.selection, row.metric), []).append(each)
    failures = standing_failures(reader.failures_of(checkpoint.key), reader.results_of(checkpoint.key))
    return tuple(_benchmark_scores(found, known, failures) for found in groups.values())


def _benchmark_scores(
    found: Sequence[StoredResult],
    changes: Mapping[tuple[str, str, str, str], Change],
    failures: Sequence[StoredFailure],
) -> BenchmarkScores:
    from evaluation.benchmarks import benchmark_named
    from evaluation.summaries import summarise

    first = found[0].row
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
            row.paper, changes.get((row.benchmark, row.setting, row.metric, row.language)),
            tuple(dict.fromkeys(flag for each in own for flag in each.row.flags)),
            tuple(each.origin.lineage for each in own), summary.failed, summary.collapsed,
        ))  # fmt: skip
    paper = [score.paper for score in scores if score.paper is not None]
    return BenchmarkScores(
        first.benchmark, benchmark_named(first.benchmark).title, first.setting, first.selection, first.metric,
        first.headline, fmean(score.mean for score in scores), fmean(paper) if paper else None,
        max(each.origin.written_at for each in found), tuple(scores), tuple(each.told() for each in lost),
    )  # fmt: skip


def benchmark_rows(reader: ModelsReader) -> list[BenchmarkRow]:
    """Every benchmark that something was scored on, by its headline metric in its first scored setting."""
    from evaluation.benchmarks import BENCHMARKS

    scored = {each.row.benchmark for each in reader.results()}
    views = [benchmark_view(reader, name) for name in BENCHMARKS if name in scored]
    return [
        BenchmarkRow(view.name, view.title, view.metric, len(view.means), view.means[best], best, _paper(view))
        for view in views
        for best in [max(view.means, key=lambda name: view.means[name])]
    ]


def _paper(view: BenchmarkView) -> float | None:
    """Its published average; the mean of its scores where the table has none."""
    rows = [row for row in view.published if row.system == PAPER and row.scores]
    return (rows[0].average or fmean(rows[0].scores.values())) if rows else None


def benchmark_view(reader: ModelsReader, name: str, setting: str = "") -> BenchmarkView:
    """Of the current version of each checkpoint; the history has all.  Raises MissingArtifact."""
    from evaluation.benchmarks import BENCHMARKS

    rows = [each for each in reader.results() if each.row.benchmark == name and each.row.headline]
    if name not in BENCHMARKS or not rows:
        raise MissingArtifact(f"{name}: no scores of a benchmark of that name in {reader.store.root}")
    benchmark = BENCHMARKS[name]
    settings = tuple(each for each in benchmark.settings if any(row.row.setting == each for row in rows))
    chosen = setting or settings[0]
    if chosen not in settings:
        raise MissingArtifact(f"{name}: nothing was scored in the setting {chosen!r}: wanted {', '.join(settings)}")
    rows = [each for each in rows if each.row.setting == chosen]
    tables = {
        checkpoint.name: table for checkpoint in reader.newest() if (table := _table(rows, checkpoint))
    }  # the newest first
    languages = _ordered({language for table in tables.values() for language in table}, benchmark)
    return BenchmarkView(
        name, benchmark.title, benchmark.licence, benchmark.home, rows[0].row.metric, chosen, settings, languages,
        {name: fmean(table.values()) for name, table in tables.items()}, tables, rows[-1].row.chance,
        _published(benchmark, chosen), _history(reader, rows),
    )  # fmt: skip


def _table(rows: Sequence[StoredResult], checkpoint: Checkpoint) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for each in newest(each for each in rows if each.origin.checkpoint_key == checkpoint.key):
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


def _history(reader: ModelsReader, rows: Sequence[StoredResult]) -> tuple[Point, ...]:
    """A point for each time that a checkpoint was scored: rows of one checkpoint, code, data and scorer."""
    found: dict[tuple[str, ...], list[StoredResult]] = {}
    for each in rows:
        made = (each.origin.checkpoint_key, each.row.code, each.row.data, str(each.row.scorer_version))
        found.setdefault(made, []).append(each)
    points = []
    for (key, *_), some in found.items():
        values: dict[str, list[float]] = {}
        for each in newest(some):
            values.setdefault(each.row.language, []).append(each.row.value)
        origin = some[-1].origin
        version = key.split("/")[-2]
        mean = fmean(fmean(value) for value in values.values())
        points.append(Point(origin.written_at, origin.checkpoint_name, version, mean, origin.trained_tokens))
    return tuple(sorted(points, key=lambda point: point.at))
