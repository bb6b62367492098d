"""FSDP2 with two processes (gloo) beside DDP and one process: what is learnt, kept and gone on from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import losses, rows, train, weights

SETTINGS = dict[str, object]
SHARDED: SETTINGS = {"sharding": "full"}
MODEL = "final/model.safetensors"

pytestmark = pytest.mark.slow  # each run starts two Pythons


@pytest.fixture(scope="module")
def chosen(settings: SETTINGS) -> SETTINGS:
    """Several parts of an update, clipping that takes effect, validation with an odd number of passes."""
    return settings | {"dropout": 0.0, "micro_batch_blocks": 2, "clip_norm": 0.5, "validation_blocks": 4,
                       "validation_steps": 4, "milestone_steps": 8, "activation_checkpointing": True}  # fmt: skip


@pytest.fixture(scope="module")
def sharded(chosen: SETTINGS, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(chosen | SHARDED, tmp_path_factory.mktemp("sharded") / "run", processes=2)


def assert_same_model(found: Path, wanted: Path) -> None:
    """Adam's first steps have the gradient's sign alone: where that is nearly zero, float order decides."""
    one, other = load_file(found), load_file(wanted)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], rtol=0, atol=2e-3), name


@pytest.mark.parametrize("processes", [1, 2])
def test_it_learns_what_is_learnt_without(chosen: SETTINGS, sharded: Path, tmp_path: Path, processes: int) -> None:
    plain = train(chosen, tmp_path / "run", processes)
    assert losses(sharded) == pytest.approx(losses(plain), abs=1e-4)
    for name, field in (("metrics.jsonl", "gradient_norm"), ("validation.jsonl", "loss_nats")):
        found, wanted = ([row[field] for row in rows(run, name)] for run in (sharded, plain))
        np.testing.assert_allclose(np.array(found, float), np.array(wanted, float), rtol=1e-3)
    assert_same_model(sharded / MODEL, plain / MODEL)
    milestone = "milestones/step-00000008/model.safetensors"
    assert_same_model(sharded / milestone, plain / milestone)


def stopped_at(run: Path, step: int, into: Path) -> Path:
    """The run's folder as a loss of all processes after update `step` would leave it, with the lines until then."""
    name = f"checkpoints/step-{step:08d}"
    (into / "checkpoints").mkdir(parents=True)
    shutil.copytree(run / name, into / name)
    for lines in ("metrics.jsonl", "validation.jsonl"):
        (into / lines).write_bytes((run / lines).read_bytes())
    return into


@pytest.mark.parametrize(("change", "processes", "same_bytes"), [
    (SHARDED, 2, True), ({}, 2, False), ({}, 1, False), (SHARDED, 1, False),
])  # fmt: skip
def test_a_run_goes_on_from_its_checkpoint_in_any_mode(
    chosen: SETTINGS, sharded: Path, tmp_path: Path, change: SETTINGS, processes: int, same_bytes: bool
) -> None:
    into = stopped_at(sharded, 8, tmp_path / "run")
    train(chosen | {"sharding": "none"} | change, into, processes)
    assert losses(into) == pytest.approx(losses(sharded), abs=1e-4)
    assert_same_model(into / MODEL, sharded / MODEL)
    if same_bytes:
        assert weights(into) == weights(sharded)


def test_a_run_without_sharding_goes_on_with_it(chosen: SETTINGS, sharded: Path, tmp_path: Path) -> None:
    plain = train(chosen, tmp_path / "plain")
    into = train(chosen | SHARDED, stopped_at(plain, 8, tmp_path / "run"), processes=2)
    assert_same_model(into / MODEL, plain / MODEL)
    assert sorted(path.name for path in (into / "checkpoints").iterdir()) == ["step-00000008", "step-00000012"]
