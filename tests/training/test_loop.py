"""Settings of the loop that change its speed or memory, and what it tells: in one process, on a CPU."""

from __future__ import annotations

import json
import math
import threading
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.training.runs import losses, rows, train_here, weights
from training.batches import Batches
from training.blocks import open_blocks
from training.export import load_final
from training.learner import by_language
from training.metrics import MACHINE_KEYS, duration, perplexity
from training.prefetch import Prefetch

SETTINGS = dict[str, object]
pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture(scope="module")
def plain(settings: SETTINGS, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(settings, tmp_path_factory.mktemp("plain") / "run")


# --- speed and memory


@pytest.mark.parametrize("change", [
    {"activation_checkpointing": True}, {"prefetch_updates": 0}, {"prefetch_updates": 5}, {"checkpoint_steps": 5},
    {"log_steps": 3}, {"extra": {"note": "x"}},
])  # fmt: skip
def test_settings_of_speed_and_memory_change_no_bit(
    settings: SETTINGS, plain: Path, tmp_path: Path, change: SETTINGS
) -> None:
    assert weights(train_here(settings | change, tmp_path / "run")) == weights(plain)


def test_small_parts_give_the_gradient_of_the_whole(settings: SETTINGS, tmp_path: Path) -> None:
    chosen = settings | {"dropout": 0.0}
    whole, parts = (train_here(chosen | {"micro_batch_blocks": n}, tmp_path / str(n)) for n in (0, 3))
    assert losses(whole) == pytest.approx(losses(parts), abs=1e-5)


def test_bfloat16_products_learn_with_weights_in_float32(settings: SETTINGS, plain: Path, tmp_path: Path) -> None:
    run = train_here(settings | {"precision": "bfloat16"}, tmp_path / "run")
    model, _ = load_final(run / "final")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert weights(run) != weights(plain)
    assert losses(run) == pytest.approx(losses(plain), abs=0.03)


def test_a_compiled_model_learns_the_same(settings: SETTINGS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph is captured whole and differentiated by the compiler; only its C++ is left out, which takes minutes."""
    compiler = partial(torch.compile, backend="aot_eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", compiler)
    chosen = settings | {"dropout": 0.0, "steps": 4}
    eager, compiled = (train_here(chosen | {"compile": how}, tmp_path / how) for how in ("off", "on"))
    assert losses(eager) == pytest.approx(losses(compiled), abs=1e-4)


def test_the_next_batches_are_made_in_another_thread_and_in_order() -> None:
    makers: list[int] = []

    def make(number: int) -> int:
        makers.append(threading.get_ident())
        if number == 4:
            raise ValueError("no batch 4")
        return number

    ahead = Prefetch(make, 2, 1)
    assert [ahead.take(), ahead.take()] == [2, 3]
    with pytest.raises(ValueError, match="no batch 4"):
        ahead.take()
    ahead.close()
    assert threading.get_ident() not in makers


# --- what is told


def test_a_line_of_metrics_says_how_each_language_fares(plain: Path, settings: SETTINGS) -> None:
    row = rows(plain)[-1]
    assert set(row) == {
        "step", "loss_nats", "loss_nats_by_language", "learning_rate", "gradient_norm", "skipped_updates", "tokens",
        "next_sample", *MACHINE_KEYS,
    }  # fmt: skip
    assert row["next_sample"] == 12 * 8
    assert row["tokens"] == 12 * 8 * 16
    by = dict(row["loss_nats_by_language"])  # type: ignore[call-overload]
    assert set(by) == {"en", "sw"}
    assert min(by.values()) <= float(str(row["loss_nats"])) <= max(by.values())


def test_losses_by_language_are_sums_over_its_blocks() -> None:
    found = by_language(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2, 0, 2]), 3)
    assert found.tolist() == [2.0, 0.0, 5.0]


def test_the_summary_says_what_was_trained(plain: Path) -> None:
    summary = json.loads((plain / "summary.json").read_text())
    assert summary["trained_tokens"] == 16
    assert sum(summary["tokens_by_language"].values()) == 12 * 8 * 16
    assert summary["last_loss_nats"] == losses(plain)[-1] < summary["first_loss_nats"] == losses(plain)[0]
    _, config = load_final(plain / "final")
    assert config.max_tokens == 512
    assert config.usable_tokens == 16


def test_milestones_are_kept_beside_checkpoints(settings: SETTINGS, plain: Path, tmp_path: Path) -> None:
    run = train_here(settings | {"milestone_steps": 4}, tmp_path / "run")
    assert sorted(path.name for path in (run / "milestones").iterdir()) == [
        "step-00000004", "step-00000008", "step-00000012"]  # fmt: skip
    last = (run / "milestones" / "step-00000012" / "model.safetensors").read_bytes()
    assert last == weights(run) == weights(plain)


# --- validation


def test_held_out_blocks_are_never_drawn(settings: SETTINGS) -> None:
    blocks = {name: [Path(str(path))] for name, path in dict(settings["blocks"]).items()}  # type: ignore[call-overload]
    batches = Batches(blocks, 16, 0.3, 1, 64, 150, held_out=5)
    lengths = [len(open_blocks(paths, 16)) for paths in blocks.values()]
    assert batches.held_out == [min(5, length // 10) for length in lengths]
    everything = batches.order.draw(torch.arange(4000).numpy())
    for language, length in enumerate(lengths):
        drawn = set(batches._places(language, everything.block[everything.language == language], False))
        aside = set(batches._places(language, torch.arange(batches.held_out[language]).numpy(), True))
        assert len(aside) == batches.held_out[language]
        assert drawn | aside == set(range(length))
        assert not drawn & aside


def test_validation_tells_loss_and_perplexity_of_each_language(settings: SETTINGS, tmp_path: Path) -> None:
    chosen = settings | {"validation_blocks": 4, "validation_steps": 6, "steps": 24, "peak_learning_rate": 3e-3}
    found = rows(train_here(chosen, tmp_path / "run"), "validation.jsonl")
    assert [row["step"] for row in found] == [6, 12, 18, 24]
    for row in found:
        by, perplexities = row["loss_nats_by_language"], row["perplexity_by_language"]
        assert isinstance(by, dict)
        assert isinstance(perplexities, dict)
        assert set(by) == {"en", "sw"}
        assert perplexities["sw"] == pytest.approx(math.exp(by["sw"]), rel=1e-3)
    assert float(str(found[-1]["perplexity"])) < float(str(found[0]["perplexity"]))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [summary["first_validation"]["step"], summary["last_validation"]["step"]] == [6, 24]


def test_validating_changes_nothing_that_is_learnt(settings: SETTINGS, tmp_path: Path) -> None:
    chosen = settings | {"validation_blocks": 4}
    often, seldom = (train_here(chosen | {"validation_steps": n}, tmp_path / str(n)) for n in (1, 100))
    assert weights(often) == weights(seldom)


def test_a_perplexity_without_bounds_is_infinite() -> None:
    assert perplexity(1000.0) == math.inf
    assert perplexity(0.0) == 1.0


@pytest.mark.parametrize(("seconds", "said"), [(40, "40 s"), (420, "7 min"), (7500, "2 h 05 min")])
def test_time_left_is_told_in_its_own_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said
