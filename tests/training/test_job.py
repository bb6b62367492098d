"""The job file, the state that is kept outside a machine, and a node that begins anew within its bounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.training.runs import ENVIRONMENT, ROOT, rows, train_here, weights
from training import node
from training.errors import Stopped
from training.export import WEIGHTS
from training.job import Source, TrainingJob
from training.kept import KeptRun
from training.loop import Pretraining
from training.storage import DiskFolder, StorageRefused, fetch, open_folder, sha256

SETTINGS = dict[str, object]


# --- the job file


def job_of(settings: SETTINGS, state: str, **more: object) -> TrainingJob:
    """The job of these settings, its inputs with their digests."""
    places = {language: Path(str(path)) for language, path in dict(settings["blocks"]).items()}  # type: ignore[call-overload]
    vocabulary = Path(str(settings["vocabulary"]))
    others = {name: value for name, value in settings.items() if name not in ("blocks", "vocabulary")}
    blocks = {language: (Source(path.as_uri(), sha256(path)),) for language, path in places.items()}
    return TrainingJob("try", others, Source(vocabulary.as_uri(), sha256(vocabulary)), blocks, state, **more)  # type: ignore[arg-type]


def test_a_job_is_read_as_it_was_written(settings: SETTINGS) -> None:
    job = job_of(settings, "s3://bucket/run", nodes=2, restarts=3)
    assert TrainingJob.from_json(job.to_json(), "job.json") == job


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"node": 2}, "job.json: unknown entries node; there are blocks"),
        ({"nodes": 0}, "job try: 0 nodes"),
        ({"settings": {"output": "/x"}}, "settings has output: these are entries of the job itself"),
        ({"vocabulary": "/x"}, "job.json: .*wanted a job file"),
    ],
)
def test_a_wrong_job_file_is_refused_in_one_line(settings: SETTINGS, change: dict[str, object], said: str) -> None:
    values = json.loads(job_of(settings, "file:///run").to_json()) | change
    with pytest.raises(ValueError, match=said):
        TrainingJob.from_json(json.dumps(values), "job.json")


def test_inputs_with_other_bytes_than_the_job_names_are_refused(settings: SETTINGS, tmp_path: Path) -> None:
    path = tmp_path / "en.npy"
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"en\.npy: SHA-256 \w+, the job says 0000"):
        fetch(path.as_uri(), "0000", tmp_path)
    with pytest.raises(StorageRefused, match="wanted file:///folder or s3://bucket/prefix"):
        open_folder("http://server/folder")


@pytest.mark.slow
def test_the_launcher_runs_a_job_and_says_what_is_wrong_with_one(settings: SETTINGS, tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    call = [sys.executable, "-m", "training.launch", "--job", str(job), "--work", str(tmp_path / "work")]
    said = subprocess.run(call, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (2, f"training: ValueError: {job}: no such job file\n")
    job.write_text(job_of(settings, (tmp_path / "run").as_uri()).to_json())
    said = subprocess.run(call, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    assert (tmp_path / "run" / "summary.json").exists()


# --- state outside the machine


@pytest.fixture
def kept(tmp_path: Path) -> DiskFolder:
    return DiskFolder(tmp_path / "kept")


def stop_at(settings: SETTINGS, output: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is asked to stop in that update."""
    advance = Pretraining._advance

    def advance_and_stop(self: Pretraining) -> None:
        self.stopping = self.progress.step + 1 == step
        advance(self)

    with monkeypatch.context() as changed:
        changed.setattr(Pretraining, "_advance", advance_and_stop)
        with pytest.raises(Stopped):
            train_here(settings, output)


@pytest.mark.usefixtures("signals")
def test_a_run_goes_on_on_another_machine_with_the_same_bytes(
    settings: SETTINGS, tmp_path: Path, kept: DiskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings | {"state": kept.uri, "checkpoint_steps": 3}
    whole = train_here(settings | {"checkpoint_steps": 3}, tmp_path / "whole")
    stop_at(chosen, tmp_path / "first", 7, monkeypatch)
    markers = [name for name in kept.names("checkpoints/") if name.endswith("complete.json")]
    assert markers == [f"checkpoints/step-0000000{n}/complete.json" for n in (6, 7)]
    second = train_here(chosen, tmp_path / "second")
    assert weights(second) == weights(whole)
    assert (kept.path / "final" / "model.safetensors").read_bytes() == weights(whole)
    losses = [(row["step"], row["loss_nats"]) for row in rows(kept.path)]
    assert losses == [(row["step"], row["loss_nats"]) for row in rows(whole)]
    assert json.loads((kept.path / "summary.json").read_text())["steps"] == 12
    assert json.loads((kept.path / "progress.json").read_text())["step"] in range(2, 13)


@pytest.mark.usefixtures("signals")
def test_a_kept_checkpoint_that_is_damaged_or_has_no_marker_is_passed_over(
    settings: SETTINGS, tmp_path: Path, kept: DiskFolder, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = settings | {"state": kept.uri, "keep_checkpoints": 3}
    whole = train_here(chosen, tmp_path / "first")
    damaged = kept.path / "checkpoints" / "step-00000012" / "state.pt"
    damaged.write_bytes(damaged.read_bytes()[:-4096] + bytes(4096))
    (kept.path / "checkpoints" / "step-00000008" / "complete.json").unlink()
    with caplog.at_level("INFO"):
        second = train_here(chosen, tmp_path / "second")
    assert "step-00000012 is not whole: looking for an older one" in caplog.text
    assert "going on from update 4" in caplog.text
    assert weights(second) == weights(whole)


def test_lines_and_events_are_sent_between_checkpoints(
    tmp_path: Path, kept: DiskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.kept.LINES_EVERY_S", 0.0)
    (tmp_path / "run" / "events").mkdir(parents=True)
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 10}\n')
    (tmp_path / "run" / "events" / "events.out.tfevents.17.host").write_bytes(b"curves")
    run = KeptRun(tmp_path / "run", kept)
    run.tell({"step": 10})
    run.close()
    names = ["events/events.out.tfevents.live", "metrics.jsonl", "progress.json"]
    assert kept.names("") == names
    assert [kept.get(name, tmp_path / "aside") for name in names] == [b"curves", b'{"step": 10}\n', b'{"step": 10}']


@pytest.mark.usefixtures("signals")
def test_a_milestone_that_is_sent_is_not_left_on_the_node(settings: SETTINGS, tmp_path: Path, kept: DiskFolder) -> None:
    run = train_here(settings | {"state": kept.uri, "milestone_steps": 4}, tmp_path / "run")
    sent = [f"milestones/step-{step:08d}/{name}" for step in (4, 8, 12) for name in ("encoder.json", WEIGHTS)]
    assert kept.names("milestones/") == sent
    assert list((run / "milestones").iterdir()) == []
    assert (kept.path / sent[-1]).read_bytes() == weights(run)


@pytest.mark.usefixtures("signals")
def test_a_storage_that_is_away_ends_the_run_with_its_name(settings: SETTINGS, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(OSError, match="kept"):
        train_here(settings | {"state": (tmp_path / "kept").as_uri()}, tmp_path / "run")


# --- a node


class Attempts(node.Node):
    """torchrun is a shell script: `sleep` is its worker."""

    def __init__(self, script: str, folder: Path, restarts: int = 2, join_timeout_s: float = 60.0) -> None:
        source = Source("file:///none")
        job = TrainingJob("try", {}, source, {}, folder.as_uri(), 2, 1, restarts, join_timeout_s)
        super().__init__(job, [])
        self.folder = folder
        self.command = ["sh", "-c", f"echo begin >> {folder}/begun; {script}"]

    def begun(self) -> int:
        return len((self.folder / "begun").read_text().splitlines())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TICK_S", 0.02), ("PAUSE_S", 0.01), ("LEAVE_S", 0.3)):
        monkeypatch.setattr(node, name, seconds)


@pytest.mark.usefixtures("signals")
def test_a_node_begins_anew_after_a_loss_and_ends_with_what_cannot_be_mended(tmp_path: Path) -> None:
    again = Attempts("sleep 0.2; [ $(wc -l < begun) = 3 ] && exit 0; exit 75".replace("begun", f"{tmp_path}/begun"),
                     tmp_path)  # fmt: skip
    assert (again.run(), again.begun()) == (0, 3)
    wrong = Attempts("sleep 0.2; echo 'training: ValueError: no blocks' >&2; exit 2", tmp_path / "wrong")
    wrong.folder.mkdir()
    assert (wrong.run(), wrong.begun()) == (2, 1)
    assert "training: ValueError: no blocks" in json.loads((tmp_path / "wrong" / "outcome-2.json").read_text())["lines"]


@pytest.mark.usefixtures("signals")
def test_a_node_gives_up_after_its_restarts(tmp_path: Path) -> None:
    lost = Attempts("sleep 1; kill -9 $$", tmp_path, restarts=1)
    assert (lost.run(), lost.begun()) == (75, 2)
    assert json.loads((tmp_path / "outcome-75.json").read_text())["lines"][-1].startswith("1 restarts, and")


@pytest.mark.usefixtures("signals")
def test_a_node_that_the_others_do_not_join_gives_up_in_time(tmp_path: Path) -> None:
    alone = Attempts("exit 75", tmp_path, join_timeout_s=6)
    began = time.monotonic()
    assert alone.run() == 75
    assert time.monotonic() - began < 20
    assert alone.begun() > 1


@pytest.mark.usefixtures("signals")
def test_a_node_ends_as_another_one_that_no_restart_can_mend(tmp_path: Path) -> None:
    (tmp_path / "outcome-1.json").write_text("{}")
    other = Attempts("sleep 0.2; exit 75", tmp_path)
    assert (other.run(), other.begun()) == (1, 1)
    node.forget_outcomes(tmp_path.as_uri())
    assert not (tmp_path / "outcome-1.json").exists()


@pytest.mark.usefixtures("signals")
def test_a_torchrun_that_hangs_without_workers_is_ended(tmp_path: Path) -> None:
    # exec: the shell itself hangs, and has no children
    hanging = Attempts(f"sleep 0.2; [ $(wc -l < {tmp_path}/begun) = 2 ] && exit 0; exec sleep 600", tmp_path)
    assert (hanging.run(), hanging.begun()) == (0, 2)


@pytest.mark.usefixtures("signals")
def test_a_warning_goes_to_the_workers_and_nothing_is_begun_again(tmp_path: Path) -> None:
    worker = f"{sys.executable} -c \"import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); open('{tmp_path}/up', 'w'); time.sleep(60)\""  # noqa: E501
    warned = Attempts(f"{worker}; exit 75", tmp_path)

    def warn() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.02)
        signal.raise_signal(signal.SIGUSR1)

    thread = threading.Thread(target=warn)
    thread.start()
    assert (warned.run(), warned.begun()) == (75, 1)
    thread.join()
