"""What a reader of the models is shown: checkpoints with their lineage and loss, and how two of them compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from pipeline.corpus_views import language_name
from pipeline.manifest import Manifest
from pipeline.models_reader import Checkpoint, Curve, ModelsReader
from pipeline.result_store import newest, standing_failures
from pipeline.score_views import (
    BenchmarkRow,
    BenchmarkScores,
    Way,
    benchmark_rows,
    headline_tables,
    mean_of,
    scores_of,
    shown_ways,
    unscored,
)
from pipeline.verdicts import Change, Verdict, compared

CURVE_POINTS = 120  # of a curve that is shown; each is the mean of the updates around it
KEPT_COMPARISONS = 64


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A checkpoint in the overview.  Numbers of the training are None of a model from outside."""

    name: str
    version: str
    current: bool
    finished_at: str
    model: str
    parameters: int | None
    updates: int | None
    tokens: int | None
    loss_nats: float | None
    vocabulary: str
    release: str
    verdict: str
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Origin:
    """One thing that a checkpoint is made of, as `xlmr show` and `xlmr trace` take it."""

    kind: str
    name: str
    version: str
    finished_at: str
    manifest: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class LossRow:
    """A language's loss: the first and the last written, and its curve at `LossView.steps`."""

    code: str
    name: str
    tokens: int | None
    first: float | None
    last: float | None
    curve: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class LossView:
    """Means over at most CURVE_POINTS stretches of the training; `uniform_nats`: the loss of a uniform guess."""

    steps: tuple[int, ...]
    loss_nats: tuple[float | None, ...]
    validation: tuple[tuple[int, float], ...]
    uniform_nats: float | None
    languages: tuple[LossRow, ...]


@dataclass(frozen=True, slots=True)
class CheckpointView:
    checkpoint: CheckpointRow
    manifest: str
    versions: tuple[CheckpointRow, ...]
    lineage: tuple[Origin, ...]
    settings: dict[str, Any]
    loss: LossView | None
    scores: tuple[BenchmarkScores, ...]
    unscored: tuple[str, ...]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """b against a: `differences` are b - a in points with their intervals; `notes` say what a reader must know."""

    a: CheckpointRow
    b: CheckpointRow
    differences: tuple[Change, ...]
    notes: tuple[str, ...]


def overview(reader: ModelsReader) -> dict[str, Any]:
    """`checkpoints`: the current one of each name, the newest first; `benchmarks`: those with scores."""
    ways = shown_ways(reader)
    checkpoints: list[CheckpointRow] = [checkpoint_row(reader, each, ways) for each in reader.newest()]
    benchmarks: list[BenchmarkRow] = benchmark_rows(reader)
    return {"checkpoints": checkpoints, "benchmarks": benchmarks}


def checkpoint_row(reader: ModelsReader, checkpoint: Checkpoint, ways: Mapping[str, Way]) -> CheckpointRow:
    pretrain, made_of = reader.pretraining(checkpoint), reader.ancestors(checkpoint)
    verdict = reader.verdict(checkpoint.name)
    counts: Mapping[str, int] = pretrain.counts if pretrain else {}
    own = headline_tables(reader, checkpoint)
    means = {name: mean_of(name, own[name, way]) for name, way in ways.items() if (name, way) in own}
    updates, tokens = counts.get("updates"), counts.get("tokens")
    if checkpoint.update is not None:
        tokens = tokens * checkpoint.update // updates if tokens and updates else None
        updates = checkpoint.update
    return CheckpointRow(
        checkpoint.name, checkpoint.version, checkpoint.current, checkpoint.finished_at, _model(checkpoint, pretrain),
        counts.get("parameters"), updates, tokens, reader.last_loss(checkpoint),
        _unit(made_of, "train_vocabulary"), _unit(made_of, "publish"),
        verdict.status if verdict and verdict.manifest == checkpoint.key else "", dict(sorted(means.items())),
    )  # fmt: skip


def _model(checkpoint: Checkpoint, pretrain: Manifest | None) -> str:
    if checkpoint.update is not None:
        return "milestone"
    return str(pretrain.config.get("model", "")) if pretrain else "from outside"


def checkpoint_view(reader: ModelsReader, checkpoint: Checkpoint) -> CheckpointView:
    pretrain = reader.pretraining(checkpoint)
    curve = reader.curve(checkpoint)
    ways = shown_ways(reader)
    verdict = reader.verdict(checkpoint.name)
    if verdict and verdict.manifest != checkpoint.key:
        verdict = None
    return CheckpointView(
        checkpoint_row(reader, checkpoint, ways),
        checkpoint.key,
        tuple(checkpoint_row(reader, each, ways) for each in reader.versions(checkpoint.name)),
        tuple(_origin(each) for found in reader.ancestors(checkpoint).values() for each in found),
        dict(pretrain.config) if pretrain else {},
        loss_view(curve) if curve else None,
        scores_of(reader, checkpoint, verdict.differences if verdict else ()),
        unscored(reader, checkpoint),
        verdict,
    )


def loss_view(curve: Curve, points: int = CURVE_POINTS) -> LossView:
    """Languages by tokens, those with the most first."""
    parts = _parts(len(curve.steps), points)
    rows = [
        LossRow(code, language_name(code), curve.tokens.get(code), _first(losses), _first(losses[::-1]),
                _means(losses, parts))
        for code, losses in curve.by_language.items()
    ]  # fmt: skip
    return LossView(
        tuple(curve.steps[part.stop - 1] for part in parts), _means(curve.loss_nats, parts), curve.validation,
        curve.uniform_nats, tuple(sorted(rows, key=lambda row: (-(row.tokens or 0), row.code))),
    )  # fmt: skip


def comparison_view(reader: ModelsReader, a: Checkpoint, b: Checkpoint) -> ComparisonView:
    """Of all benchmarks that both were scored on with the same data and scorer."""
    changes, notes = _differences(reader, a.key, b.key, (reader.lineage_of(a.key), reader.lineage_of(b.key)))
    ways = shown_ways(reader)
    return ComparisonView(checkpoint_row(reader, a, ways), checkpoint_row(reader, b, ways), changes, notes)


@lru_cache(KEPT_COMPARISONS)
def _differences(
    reader: ModelsReader, a: str, b: str, lineage: tuple[frozenset[str], ...]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Remembered, since it draws samples for a second or more; `lineage` tells when there are new scores."""
    before, now = newest(reader.results_of(a)), newest(reader.results_of(b))
    if not before or not now:
        return (), ("at least one of the two has no scores yet",)
    failed = [standing_failures(reader.failures_of(key), reader.results_of(key)) for key in (a, b)]
    found, notes = compared(reader.store, before, now, failed=(failed[0], failed[1]))
    changes = tuple(Change(**asdict(row)) for row in found.differences) if found else ()
    return changes, tuple(notes)


def _origin(manifest: Manifest) -> Origin:
    return Origin(
        KINDS[manifest.stage], manifest.unit, manifest.fingerprint, manifest.written_at, manifest.key, manifest.counts
    )


KINDS = {
    "pretrain": "training",
    "export": "checkpoint",
    "train_vocabulary": "vocabulary",
    "publish": "release",
    "summarize": "dump",
}


def _unit(made_of: Mapping[str, Sequence[Manifest]], stage: str) -> str:
    return made_of[stage][0].unit if made_of.get(stage) else ""


def _first(losses: Sequence[float | None]) -> float | None:
    return next((loss for loss in losses if loss is not None), None)


def _parts(rows: int, points: int) -> list[slice]:
    """At most so many neighbouring stretches of equal length."""
    count = min(rows, points)
    return [slice(rows * index // count, rows * (index + 1) // count) for index in range(count)]


def _means(losses: Sequence[float | None], parts: Sequence[slice]) -> tuple[float | None, ...]:
    found = ([loss for loss in losses[part] if loss is not None] for part in parts)
    return tuple(round(fmean(some), 6) if some else None for some in found)
