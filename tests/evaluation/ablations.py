"""A store of checkpoints that differ in one property of pretraining, with given XNLI scores; none was trained."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.recorded_models import write_manifest
from evaluation.results import CONTRIBUTIONS, RESULTS, ResultRow
from pipeline.result_store import record_results
from pipeline.store import ArtifactStore

CODES = ("en", "fr", "de", "ru", "zh-Hans", "sw", "ur")


@dataclass(frozen=True)
class Ablation:
    """What a checkpoint was pretrained with."""

    languages: tuple[str, ...] = CODES
    release: str = "wiki100"
    alpha: float = 0.3
    vocabulary: int = 150_002
    hidden: int = 768
    batch_blocks: int = 2048
    updates: int = 1000
    parameters: int = 200_000_000


def several(languages: int) -> tuple[str, ...]:
    """The seven and others."""
    return (*CODES, *(f"x{number:02d}" for number in range(languages - len(CODES))))


def write_ablation(store: ArtifactStore, name: str, made: Ablation) -> str:
    """The key of the checkpoint, below a release, a vocabulary and a training with these settings."""
    release = write_manifest(store, "publish", made.release, {})
    vocabulary = write_manifest(store, "train_vocabulary", made.release, {}, inputs=[release])
    encoded = [f"encode/{code}/00000-of-00001/{number:016x}/manifest.json"
               for number, code in enumerate(made.languages)]  # fmt: skip
    pretrain = write_manifest(
        store, "pretrain", name, {}, inputs=[vocabulary, *encoded],
        config={"alpha": made.alpha, "batch_blocks": made.batch_blocks},
        counts={"parameters": made.parameters, "updates": made.updates,
                "tokens": made.updates * made.batch_blocks * 512},
    )  # fmt: skip
    model = {"model_type": "xlm-roberta", "vocab_size": made.vocabulary, "hidden_size": made.hidden,
             "num_hidden_layers": 12}  # fmt: skip
    return write_manifest(store, "export", name, {"config.json": json.dumps(model).encode()}, inputs=[pretrain])


def write_xnli(
    store: ArtifactStore, checkpoint: str, scores: Mapping[str, float], seed: int = 1, **changed: Any
) -> None:
    """A unit of `evaluate` with these accuracies, recorded as the stage records it."""
    rows = [ResultRow(**_row(checkpoint, language, value, seed) | changed) for language, value in scores.items()]
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False)
    files = {f"predictions-{language}.jsonl": b"" for language in scores}
    files |= {RESULTS: json.dumps([asdict(row) for row in rows]).encode(), CONTRIBUTIONS: packed.getvalue()}
    setting = rows[0].setting
    key = write_manifest(
        store, "evaluate", f"xnli/{setting}/seed-{seed}", files, inputs=[checkpoint],
        config={"benchmark": "xnli", "seed": seed, "finetuning": "paper"},
    )  # fmt: skip
    record_results(store, key)


def _row(checkpoint: str, language: str, value: float, seed: int) -> dict[str, Any]:
    return {
        "benchmark": "xnli", "benchmark_version": 2, "language": language, "metric": "accuracy", "value": value,
        "examples": 5010, "seed": seed, "headline": True, "setting": "transfer", "selection": "joint", "dev": "dev",
        "scored": "test", "trained_on": "en", "train_examples": 392_702, "epoch": 3, "max_tokens": 256,
        "chance": 100 / 3, "baseline": None, "baseline_is": "", "paper": None, "data": "d", "config": "k",
        "checkpoint": hashlib.sha256(checkpoint.encode()).hexdigest(), "code": "x",
    }  # fmt: skip
