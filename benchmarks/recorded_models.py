"""A store with checkpoints, their training and their scores as the stages leave them, made by arithmetic.

Losses fall by a power of the updates; an answer is right where an example is not too hard for a checkpoint and seed, by
a share of each language.  No model was trained for it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ccnet.languages import LANGUAGES
from evaluation.benchmarks import benchmark_named
from evaluation.metrics.metric import f1
from evaluation.results import CONTRIBUTIONS, FAILED, RESULTS, FailedSeed, ResultRow
from pipeline.current import set_current
from pipeline.manifest import Artifact, Manifest, fingerprint, manifest_key
from pipeline.result_store import record_results
from pipeline.store import ArtifactStore

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
PARAMETERS = 270_000_000
UNIFORM_NATS = math.log(250_002)
SEED_SPREAD = 0.005  # standard deviation of the share of right answers between seeds
LINES, LEVELS = 120, 5  # of a large store: written updates of a training, and different sets of answers
COMMON = 0.95  # correlation of what is hard for two models or seeds: two of them agree on nine answers of ten


@dataclass(frozen=True)
class Skill:
    """Share of right answers of a benchmark's test sets; `seed` draws the answers."""

    benchmark: str
    shares: Mapping[str, float]
    examples: int = 1000
    seeds: tuple[int, ...] = (1, 2, 3)
    seed: int = 0


def write_manifest(
    store: ArtifactStore,
    stage: str,
    unit: str,
    files: Mapping[str, bytes],
    *,
    inputs: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
    at: datetime = FIRST_DAY,
) -> str:
    """A finished unit; its key, which other bytes make another."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    mark = fingerprint(stage, 1, unit, {**(config or {}), "recorded": digests}, tuple(inputs))
    key = manifest_key(stage, unit, mark)
    artifacts = []
    for name, data in files.items():
        place = f"recorded/{digests[name]}/{name}"
        if not store.exists(place):
            store.put(place, data)
        artifacts.append(Artifact(name=name, key=place, size_bytes=len(data), sha256=digests[name]))
    manifest = Manifest(
        stage=stage, version=1, unit=unit, fingerprint=mark, config=dict(config or {}), inputs=tuple(sorted(inputs)),
        artifacts=tuple(artifacts), counts=dict(counts or {}), seconds=1.0, attempt="recorded",
        written_at=at.isoformat(timespec="milliseconds"), code_version="recorded", library_versions={},
    )  # fmt: skip
    store.put(key, manifest.to_json())
    return key


def write_checkpoint(
    store: ArtifactStore,
    name: str,
    *,
    languages: Sequence[str] = ("en", "sw"),
    lines: int = 20,
    at: datetime = FIRST_DAY,
    quality: float = 1.0,
) -> str:
    """A dump, a release, a vocabulary, a training with its curve, and the export that is now current."""
    dump = write_manifest(store, "summarize", "CC-MAIN-2019-35", {}, counts={"documents": 10**9})
    release = write_manifest(store, "publish", "cc100", {}, inputs=[dump], counts={"languages": len(languages)})
    vocabulary = write_manifest(store, "train_vocabulary", "cc100", {}, inputs=[release], counts={"pieces": 250_002})
    encoded = [f"encode/{code}/00000-of-00001/{number:016x}/manifest.json" for number, code in enumerate(languages)]
    files = {"metrics.jsonl": _metrics(languages, lines, quality), "summary.json": _summary(languages, lines, quality)}
    updates = 100 * lines
    pretrain = write_manifest(
        store, "pretrain", name, files, inputs=[vocabulary, *encoded], at=at,
        config={"model": "base", "alpha": 0.3, "steps": updates},
        counts={"parameters": PARAMETERS, "updates": updates, "tokens": updates * 8192 * 512},
    )  # fmt: skip
    model = {"model_type": "xlm-roberta", "vocab_size": 250_002, "hidden_size": 768, "num_hidden_layers": 12}
    key = write_manifest(
        store, "export", name, {"config.json": json.dumps(model).encode()}, inputs=[pretrain, vocabulary], at=at
    )
    set_current(store, "checkpoint", name, key)
    return key


def write_scores(
    store: ArtifactStore, checkpoint: str, skill: Skill, at: datetime = FIRST_DAY, **row: Any
) -> list[str]:
    """A unit of `evaluate` for each seed, in the table of results; their keys.  `row`: fields that differ."""
    return [_write_seed(store, checkpoint, skill, seed, at, row) for seed in skill.seeds]


def _write_seed(
    store: ArtifactStore, checkpoint: str, skill: Skill, seed: int, at: datetime, given: Mapping[str, Any]
) -> str:
    shares, packed, files = _answers(skill.benchmark, tuple(skill.shares.items()), skill.examples, seed, skill.seed)
    rows = [replace_fields(_row(skill, language, seed, 100.0 * right), given) for language, right in shares.items()]
    stated = json.dumps([asdict(row) for row in rows]).encode()
    files = {**files, RESULTS: stated, CONTRIBUTIONS: packed}
    key = write_manifest(
        store, "evaluate", f"{skill.benchmark}/seed-{seed}", files, inputs=[checkpoint], at=at,
        config={"benchmark": skill.benchmark, "seed": seed, "finetuning": "paper"},
    )  # fmt: skip
    record_results(store, key)
    return key


@lru_cache(512)
def _answers(
    benchmark: str, shares: tuple[tuple[str, float], ...], examples: int, seed: int, drawn: int
) -> tuple[dict[str, float], bytes, dict[str, bytes]]:
    """Share of right answers of each test set, what each example contributed, and the files of predictions.

    Remembered, since the checkpoints of a large store share them.
    """
    chance = np.random.default_rng([drawn, seed])
    hard = np.random.default_rng(0)  # the same test sets for all
    metric = benchmark_named(benchmark).metrics[0]
    found, contributions, files = {}, {}, {}
    for language, share in shares:
        able = norm.ppf(np.clip(share + chance.normal(0.0, SEED_SPREAD), 0.0, 1.0))
        own = math.sqrt(1 - COMMON**2) * chance.standard_normal(examples)
        right = COMMON * hard.standard_normal(examples) + own < able
        found[language] = float(right.mean())
        ones = [np.ones_like(right)] * (2 if metric.value is f1 else 1)  # an entity an example, or a mean
        contributions[f"{language}/{metric.name}"] = np.stack([right, *ones], axis=1).astype(np.float64)
        digits = np.stack([right + ord("0"), np.full(examples, ord("\n"))], axis=1)
        files[f"predictions-{language}.jsonl"] = digits.astype(np.uint8).tobytes()
    packed = io.BytesIO()
    np.savez_compressed(packed, **contributions)  # type: ignore[arg-type]
    return found, packed.getvalue(), files


def write_failure(
    store: ArtifactStore, checkpoint: str, benchmark: str, seed: int, at: datetime = FIRST_DAY, **given: Any
) -> str:
    """A unit of `evaluate` whose training failed, made as write_scores makes them; its key."""
    row = _row(Skill(benchmark, {}), "", seed, 0.0)
    known = {field.name for field in fields(FailedSeed)}
    stated = {name: value for name, value in asdict(row).items() if name in known}
    failed = FailedSeed(**{**stated, "reason": "the loss is not finite in epoch 2", **given})
    key = write_manifest(
        store, "evaluate", f"{benchmark}/seed-{seed}", {FAILED: json.dumps(asdict(failed)).encode()},
        inputs=[checkpoint], at=at, config={"benchmark": benchmark, "seed": seed, "finetuning": "paper"},
        counts={"failed_seeds": 1},
    )  # fmt: skip
    record_results(store, key)
    return key


def replace_fields(row: ResultRow, given: Mapping[str, Any]) -> ResultRow:
    return ResultRow(**{**asdict(row), **given})


def _row(skill: Skill, language: str, seed: int, value: float) -> ResultRow:
    known = benchmark_named(skill.benchmark)
    return ResultRow(
        benchmark=known.name, benchmark_version=known.version, language=language, metric=known.headline, value=value,
        examples=skill.examples, seed=seed, headline=True, setting=known.settings[0], selection="joint", dev="dev",
        scored="test", trained_on="en", train_examples=392_702, epoch=3, max_tokens=256, chance=known.chance,
        baseline=None, baseline_is="", paper=known.paper.get(language), data="recorded", checkpoint="", config="paper",
        code="recorded",
    )  # fmt: skip


def make_store(store: ArtifactStore, checkpoints: int, languages: Sequence[str] = tuple(LANGUAGES)) -> list[str]:
    """Checkpoints that get better, in LEVELS steps, each scored on ten benchmarks with three seeds; their names."""
    names = [f"cc100-base-{number:02d}" for number in range(1, checkpoints + 1)]
    for number, name in enumerate(names):
        at = FIRST_DAY + timedelta(days=7 * number)
        key = write_checkpoint(store, name, languages=languages, lines=LINES, at=at, quality=1 + number / 20)
        for skill in _skills(languages, 0.1 * (LEVELS * number // max(checkpoints, 1)) / LEVELS):
            write_scores(store, key, skill, at + timedelta(hours=6))
    return names


def _skills(languages: Sequence[str], gain: float) -> list[Skill]:
    sets = {"xnli": 5010, "ner": 3000, "mlqa": 5000, "mnli": 9800, "qnli": 5400, "sst2": 872, "mrpc": 408}
    paper = [
        Skill(name, {code: 0.68 + gain - place / 200 for place, code in enumerate(benchmark_named(name).paper)}, size)
        for name, size in sets.items()
    ]
    all_languages = {"panx": 1000, "sib200": 204, "belebele": 900}
    return paper + [Skill(name, {code: 0.6 + gain for code in languages}, size) for name, size in all_languages.items()]


def _metrics(languages: Sequence[str], lines: int, quality: float) -> bytes:
    losses = _losses(len(languages), lines, quality)
    rows = [
        {"step": 100 * line, "loss_nats": mean, "loss_nats_by_language": dict(zip(languages, own, strict=True))}
        for line, (mean, own) in enumerate(zip(losses.mean(axis=1).tolist(), losses.tolist(), strict=True), 1)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _losses(languages: int, lines: int, quality: float) -> NDArray[np.float64]:
    """A row for each written update, a column for each language."""
    line, place = np.arange(1.0, lines + 1)[:, None], np.arange(languages)
    falling = (UNIFORM_NATS - 2) * line ** (-0.45 * quality)
    found: NDArray[np.float64] = np.round(1.4 + place / 200 + falling + 0.03 * np.sin(line + place), 6)
    return found


def _summary(languages: Sequence[str], lines: int, quality: float) -> bytes:
    tokens = {code: 10**9 // (place + 1) for place, code in enumerate(languages)}
    last = float(_losses(len(languages), lines, quality)[-1].mean())
    found = {"uniform_loss_nats": round(UNIFORM_NATS, 6), "last_loss_nats": last, "tokens_by_language": tokens}
    return json.dumps(found).encode()
