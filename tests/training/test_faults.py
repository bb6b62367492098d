"""What goes wrong in a run: numbers that are not finite, other inputs, processes that fail or fall silent."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.runs import ENVIRONMENT, ROOT, command, ends, rows, start_hosts, train, train_here, weights
from training.checkpoint import CheckpointError, newest
from training.errors import NotFinite
from training.learner import Learner, Outcome
from training.model import MaskedLanguageModel
from training.sizes import xlmr_tiny

SETTINGS = dict[str, object]


def checkpoints(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "checkpoints").iterdir())


# --- numbers that are not finite


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[float, float]]:
    """Update (from 0) -> (what its losses and its gradient norm are multiplied by): faults of the hardware."""
    faults: dict[int, tuple[float, float]] = {}
    compute = Learner.compute

    def faulty(self: Learner, step: int, parts: object, targets: float) -> Outcome:
        outcome = compute(self, step, parts, targets)  # type: ignore[arg-type]
        loss, norm = faults.get(step, (1.0, 1.0))
        by = torch.tensor([1.0, loss], dtype=torch.float64)  # the second language is sw
        return Outcome(outcome.loss_nats_L * by, outcome.gradient_norm * norm)

    monkeypatch.setattr(Learner, "compute", faulty)
    return faults


@pytest.mark.usefixtures("signals")
def test_a_loss_that_is_not_finite_stops_the_run_with_its_step_and_language(
    settings: SETTINGS, tmp_path: Path, fault: dict[int, tuple[float, float]]
) -> None:
    fault[9] = (float("nan"), 1.0)
    with pytest.raises(NotFinite, match=r"^update 10: the loss of sw is not finite\. Nothing of it is kept"):
        train_here(settings, tmp_path / "run")
    assert checkpoints(tmp_path / "run") == ["step-00000004", "step-00000008"]
    assert not (tmp_path / "run" / "final").exists()
    fault.clear()
    went_on, whole = (train_here(settings, tmp_path / name) for name in ("run", "whole"))
    assert weights(went_on) == weights(whole)


@pytest.mark.usefixtures("signals")
def test_an_infinite_gradient_stops_the_run(
    settings: SETTINGS, tmp_path: Path, fault: dict[int, tuple[float, float]]
) -> None:
    fault[2] = (1.0, float("inf"))
    with pytest.raises(NotFinite, match="update 3: the gradient's norm is inf, though the loss is finite"):
        train_here(settings, tmp_path / "run")


@pytest.mark.usefixtures("signals")
def test_updates_are_left_out_where_the_policy_says_so(
    settings: SETTINGS, tmp_path: Path, fault: dict[int, tuple[float, float]], caplog: pytest.LogCaptureFixture
) -> None:
    fault |= {4: (float("inf"), 1.0), 5: (1.0, float("nan"))}
    with caplog.at_level(logging.WARNING):
        run = train_here(settings | {"max_skipped_updates": 2}, tmp_path / "run")
    assert "update 5 left out: the loss of sw is not finite" in caplog.text
    skipped = [row["skipped_updates"] for row in rows(run)]
    assert skipped == [0, 0, 2, 0, 0, 0]
    assert [row["loss_nats"] is None for row in rows(run)] == [False, False, True, False, False, False]
    assert json.loads((run / "summary.json").read_text())["skipped_updates"] == 2
    fault[6] = (float("inf"), 1.0)
    with pytest.raises(NotFinite, match=r"update 7: .*raise max_skipped_updates \(2\)"):
        train_here(settings | {"max_skipped_updates": 2}, tmp_path / "three")


@pytest.mark.usefixtures("signals")
def test_a_spike_is_left_out_once_the_usual_norm_is_known(
    settings: SETTINGS, tmp_path: Path, fault: dict[int, tuple[float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.loop.SPIKE_FROM", 6)
    fault |= {2: (1.0, 25.0), 8: (1.0, 200.0)}  # the first is too early to be judged
    chosen = settings | {"max_skipped_updates": 1, "spike_factor": 20.0}
    assert [row["skipped_updates"] for row in rows(train_here(chosen, tmp_path / "run"))] == [0, 0, 0, 0, 1, 0]


@pytest.mark.slow
def test_a_learning_rate_beyond_all_bounds_ends_with_2_and_leaves_no_model(settings: SETTINGS, tmp_path: Path) -> None:
    wild = settings | {"peak_learning_rate": 1e30, "warmup_steps": 0, "checkpoint_steps": 1}
    said = subprocess.run(command(wild, tmp_path / "run", 1), cwd=ROOT, env=ENVIRONMENT, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert said.returncode == 2
    assert "NotFinite" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "run" / "final").exists()


def test_weights_that_are_not_finite_are_not_kept() -> None:
    model = MaskedLanguageModel(xlmr_tiny(50))
    with torch.no_grad():
        model.encoder.layers[2].up.weight[3, 4] = float("nan")
    learner = Learner.__new__(Learner)
    learner.model = model
    with pytest.raises(NotFinite, match=r"weight encoder\.layers\.2\.up\.weight holds"):
        learner.check_finite()


# --- the inputs


@pytest.mark.usefixtures("signals")
def test_blocks_that_changed_anywhere_are_another_run(settings: SETTINGS, tmp_path: Path) -> None:
    chosen = settings | {"blocks": {"en": [str(tmp_path / "en.npy")]}, "steps": 4}
    blocks = np.tile(np.arange(4, 18, dtype="<u4"), (2000, 1))  # 112,000 bytes
    np.save(tmp_path / "en.npy", blocks)
    train_here(chosen, tmp_path / "run")
    blocks[-1, -1] = 5
    np.save(tmp_path / "en.npy", blocks)
    with pytest.raises(CheckpointError, match="use another output folder"):
        train_here(chosen, tmp_path / "run")


@pytest.mark.usefixtures("signals")
def test_stated_digests_stand_for_the_inputs(settings: SETTINGS, tmp_path: Path) -> None:
    chosen = settings | {"steps": 4, "input_digests": {"vocabulary": "a", "blocks": "b"}}
    train_here(chosen, tmp_path / "run")
    with pytest.raises(CheckpointError, match="use another output folder"):
        train_here(chosen | {"input_digests": {"vocabulary": "a", "blocks": "c"}}, tmp_path / "run")
    with pytest.raises(ValueError, match="input_digests of block: there are vocabulary, blocks"):
        train_here(chosen | {"input_digests": {"block": "c"}}, tmp_path / "other")


@pytest.mark.usefixtures("signals")
def test_a_run_with_a_damaged_checkpoint_ends_as_if_nothing_had_happened(settings: SETTINGS, tmp_path: Path) -> None:
    whole = train_here(settings, tmp_path / "whole")
    run = train_here(settings, tmp_path / "run")
    state = run / "checkpoints" / "step-00000012" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    (run / "final" / "model.safetensors").unlink()
    assert weights(train_here(settings, tmp_path / "run")) == weights(whole)
    assert [row["step"] for row in rows(run)] == [2, 4, 6, 8, 10, 12]


# --- several processes


@pytest.mark.slow
def test_hosts_without_a_shared_disk_go_on_from_what_one_of_them_has(settings: SETTINGS, tmp_path: Path) -> None:
    both = [settings, settings]
    outputs = [tmp_path / "a", tmp_path / "b"]
    for output in outputs:
        output.mkdir()
    first = [run | {"checkpoints_on_every_host": True} for run in both]
    assert [status for status, _ in ends(start_hosts(first, outputs), 400)] == [0, 0]
    assert checkpoints(outputs[1]) == ["step-00000008", "step-00000012"]
    whole = weights(outputs[0])
    # The first host lost its disk; the second has an update 8.
    subprocess.run(["rm", "-r", str(outputs[0]), str(outputs[1] / "checkpoints" / "step-00000012")], check=True)
    said = ends(start_hosts(both, outputs), 400)
    assert [status for status, _ in said] == [0, 0]
    assert "going on from update 8" in said[0][1]
    assert weights(outputs[0]) == whole


@pytest.mark.slow
def test_what_is_wrong_on_one_process_is_said_by_all_at_once(settings: SETTINGS, tmp_path: Path) -> None:
    other = settings | {"blocks": {"en": str(tmp_path / "nowhere.npy")}}
    said = ends(start_hosts([settings, other], [tmp_path / "a", tmp_path / "b"]), 400)
    assert [status for status, _ in said] == [2, 2]
    assert "process 1 of 2" in said[0][1]
    assert all("nowhere.npy: no whole .npy file of blocks" in text for _, text in said)


@pytest.mark.slow
def test_processes_with_other_settings_do_not_begin(settings: SETTINGS, tmp_path: Path) -> None:
    said = ends(start_hosts([settings, settings | {"seed": 2}], [tmp_path / "a", tmp_path / "b"]), 400)
    assert [status for status, _ in said] == [2, 2]
    assert all("process 1 of 2" in text and "has other settings or data" in text for _, text in said)


def wait_for_first_update(output: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not ((output / "metrics.jsonl").exists() and rows(output)):
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_falls_silent_ends_the_others_in_time(
    settings: SETTINGS, tmp_path: Path, blow: signal.Signals
) -> None:
    long = settings | {"steps": 100_000, "log_steps": 1, "timeout_s": 8.0}
    jobs = start_hosts([long, long], [tmp_path / "a", tmp_path / "b"])
    try:
        wait_for_first_update(tmp_path / "a")
        os.kill(jobs[1].pid, blow)
        assert jobs[0].wait(300) == 75
        assert jobs[0].stderr is not None
        said = jobs[0].stderr.read()
        assert "process 0 of 2" in said
        assert "lost the others" in said
        assert "Traceback" not in said
    finally:
        ends(jobs[:0], 0)
        for job in jobs:
            job.kill()
            job.wait()


FAILING = """
import sys, torch
from training.distributed import processes
try:
    with processes(30) as joined:
        for turn in range(5):
            if joined.rank == 1 and turn == 3:
                raise ValueError("the disk is on fire")
            joined.sum(torch.ones(1))
except Exception as error:
    from training.errors import exit_status
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(exit_status(error))
"""


@pytest.mark.slow
def test_an_error_amid_the_work_of_one_process_is_told_by_the_others() -> None:
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python",
            sys.executable, "-c", FAILING]  # fmt: skip
    said = subprocess.run(call, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "\nValueError the disk is on fire" in "\n" + said.stderr
    assert "OtherProcessFailed process 1 of 2 on" in said.stderr


@pytest.mark.slow
def test_the_launcher_keeps_the_exit_status_of_its_workers(settings: SETTINGS, tmp_path: Path) -> None:
    wrong = subprocess.run(command(settings | {"batch_blocks": 3}, tmp_path / "wrong", 2), cwd=ROOT, env=ENVIRONMENT,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert wrong.returncode == 2
    assert "batch_blocks 3 cannot be shared by 2 processes" in wrong.stderr
    long = settings | {"steps": 100_000, "log_steps": 1}
    job = subprocess.Popen(command(long, tmp_path / "stopped", 2), cwd=ROOT, env=ENVIRONMENT,
                           stderr=subprocess.DEVNULL)  # fmt: skip
    wait_for_first_update(tmp_path / "stopped")
    job.send_signal(signal.SIGTERM)
    assert job.wait(300) == 75
    assert newest(tmp_path / "stopped" / "checkpoints", digest_of(tmp_path / "stopped")) is not None


def digest_of(output: Path) -> str:
    marker = sorted((output / "checkpoints").glob("step-*/complete.json"))[-1]
    return str(json.loads(marker.read_text())["run"])


def test_files_follow_the_umask(tmp_path: Path) -> None:
    from training.export import save_final

    config = xlmr_tiny(50)
    save_final(MaskedLanguageModel(config), config, tmp_path / "final")
    before = os.umask(0o027)
    try:
        save_final(MaskedLanguageModel(config), config, tmp_path / "closed")
    finally:
        os.umask(before)
    assert (tmp_path / "final" / "model.safetensors").stat().st_mode & 0o777 == 0o666 & ~before
    assert (tmp_path / "closed" / "model.safetensors").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in (tmp_path / "final").iterdir()) == ["encoder.json", "model.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGUSR1, signal.SIGINT])
def test_a_stop_signal_saves_and_another_attempt_goes_on(
    settings: SETTINGS, tmp_path: Path, asked: signal.Signals
) -> None:
    whole = train(settings, tmp_path / "whole")
    job = subprocess.Popen(command(settings | {"checkpoint_steps": 1000}, tmp_path / "run", 1), cwd=ROOT,
                           env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)  # fmt: skip
    wait_for_first_update(tmp_path / "run")
    job.send_signal(asked)
    _, said = job.communicate(timeout=300)
    assert job.returncode in {75, 0}  # 0 where it was quicker than the signal
    if job.returncode == 75:
        assert "Stopped: stopped after update" in said
    assert weights(train(settings, tmp_path / "run")) == weights(whole)
