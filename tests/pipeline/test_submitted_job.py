"""A job that outlives its task: submitted once, followed by the next attempt, cancelled with its task, sent again.

The scheduler is this machine's: a job is a detached process that works in its state folder until it is let go.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.draft import Draft
from pipeline.errors import BadInput, ProgramFault, WorkerLost
from pipeline.launchers.scheduler import JobStatus, Phase, SchedulerUnavailable
from pipeline.launchers.submitted_job import Cancelled, SubmittedJob
from pipeline.store import ArtifactStore, open_store
from training.job import Source, TrainingJob

PREFIX = "pretrain/xlmr-tiny/0123456789abcdef"
WORK = """
import json, sys, time
from pathlib import Path
state = Path(sys.argv[1])
(state / "final").mkdir(parents=True, exist_ok=True)
runs = state / "checkpoints"; runs.mkdir(exist_ok=True); (runs / str(len(list(runs.iterdir())))).touch()
(state / "metrics.jsonl").write_text(json.dumps({"step": 7}) + "\\n")
while not (state.parent / "go").exists():
    time.sleep(0.02)
end = (state.parent / "go").read_text()
if end != "done":
    (state / f"outcome-{end}.json").write_text(json.dumps({"lines": ["training: ValueError: no blocks"]}))
    sys.exit(int(end))
(state / "final" / "weights").write_text("w")
(state / "summary.json").write_text("{}")
"""


class DetachedProcesses:
    def __init__(self) -> None:
        self.jobs: dict[str, subprocess.Popen[bytes]] = {}
        self.names: dict[str, str] = {}
        self.away = 0

    def submit(self, job: TrainingJob, uri: str) -> str:
        assert TrainingJob.from_json(Path(uri.removeprefix("file://")).read_text(), uri) == job
        made = subprocess.Popen([sys.executable, "-c", WORK, job.state.removeprefix("file://")], start_new_session=True)
        self.jobs[str(made.pid)], self.names[job.name] = made, str(made.pid)
        return str(made.pid)

    def find(self, name: str) -> str | None:
        found = self.names.get(name)
        return found if found and self.status(found).phase is Phase.RUNNING else None

    def status(self, job_id: str) -> JobStatus:
        if self.away:
            self.away -= 1
            raise SchedulerUnavailable("no answer")
        status = self.jobs[job_id].poll() if job_id in self.jobs else None
        if job_id not in self.jobs:
            return JobStatus(Phase.GONE, "no such job")
        return JobStatus(Phase.RUNNING if status is None else Phase.FAILED if status else Phase.DONE, f"exit {status}")

    def cancel(self, job_id: str) -> None:
        self.jobs[job_id].kill()


@pytest.fixture
def scheduler() -> Iterator[DetachedProcesses]:
    made = DetachedProcesses()
    yield made
    for job in made.jobs.values():
        job.kill()
        job.wait()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"))


class Attempt:
    """One task's attempt at the unit."""

    def __init__(self, store: ArtifactStore, scheduler: DetachedProcesses) -> None:
        self.draft = Draft(store, PREFIX, store.scratch(), "pretrain", "xlmr-tiny")
        self.rows: list[dict[str, Any]] = []
        self.job = SubmittedJob(self.draft, scheduler, lambda state: TrainingJob(
            "xlmr-0123456789abcdef", {"steps": 9}, Source("file:///v"), {"en": (Source("file:///b"),)}, state,
        ), look_s=0.02)  # fmt: skip

    def run(self) -> Path:
        try:
            return self.job.run(self.look, self.draft.scratch("results"))
        finally:
            self.draft.close()

    def look(self) -> None:
        self.rows.append(self.job.folder.last_row())

    def run_until_told(self, blow: type[BaseException]) -> None:
        """As far as the first line of metrics; then the task ends in this way."""

        def look() -> None:
            if self.job.folder.last_row():
                raise blow

        with pytest.raises(blow):
            self.job.run(look, self.draft.scratch("results"))
        self.draft.close()


def let_go(store: ArtifactStore, how: str = "done") -> None:
    store.put(f"{PREFIX}/state/job/go", how.encode())


class TaskDied(BaseException):
    """Nothing of the task runs any more."""


def test_a_job_is_followed_to_its_result(store: ArtifactStore, scheduler: DetachedProcesses) -> None:
    scheduler.away = 3
    let_go(store)
    results = Attempt(store, scheduler).run()
    assert sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()) == [
        "final/weights", "metrics.jsonl", "summary.json",
    ]  # fmt: skip


def test_the_next_attempt_follows_the_same_job(
    store: ArtifactStore, scheduler: DetachedProcesses, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Attempt(store, scheduler).run_until_told(TaskDied)
    let_go(store)
    Attempt(store, scheduler).run()
    assert len(scheduler.jobs) == 1
    assert f"following job {next(iter(scheduler.jobs))} of an earlier attempt" in caplog.text


def test_a_job_whose_id_was_not_written_in_time_is_found_by_its_name(
    store: ArtifactStore, scheduler: DetachedProcesses
) -> None:
    Attempt(store, scheduler).run_until_told(TaskDied)
    store.put(f"{PREFIX}/state/job/submitted.json", b'{"name": "xlmr-0123456789abcdef", "job": ""}')
    threading.Timer(1.0, let_go, [store]).start()  # a scheduler finds jobs by name while they run
    Attempt(store, scheduler).run()
    assert len(scheduler.jobs) == 1


def test_a_job_that_ended_while_nobody_followed_it_is_taken_or_sent_again(
    store: ArtifactStore, scheduler: DetachedProcesses
) -> None:
    Attempt(store, scheduler).run_until_told(TaskDied)
    [first] = scheduler.jobs.values()
    first.kill()  # no result
    first.wait()
    Attempt(store, scheduler).run_until_told(TaskDied)
    assert len(scheduler.jobs) == 2
    let_go(store)
    for job in scheduler.jobs.values():
        job.wait()
    Attempt(store, scheduler).run()
    assert len(scheduler.jobs) == 2
    assert len(list(store.list(f"{PREFIX}/state/job/run/checkpoints/"))) == 2  # both in one state


def test_sigterm_cancels_the_job_and_keeps_its_state(store: ArtifactStore, scheduler: DetachedProcesses) -> None:
    attempt = Attempt(store, scheduler)

    def stop_once_it_runs() -> None:
        while not any(attempt.rows):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=stop_once_it_runs)
    thread.start()
    with pytest.raises(Cancelled, match="its checkpoints are kept"):
        attempt.run()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    [job] = scheduler.jobs.values()
    assert job.wait(10) == -signal.SIGKILL
    let_go(store)
    Attempt(store, scheduler).run()
    assert len(scheduler.jobs) == 2
    assert len(list(store.list(f"{PREFIX}/state/job/run/checkpoints/"))) == 2


@pytest.mark.parametrize(("how", "error"), [("2", BadInput), ("75", WorkerLost)])
def test_how_the_nodes_ended_decides_whether_to_try_again(
    store: ArtifactStore, scheduler: DetachedProcesses, how: str, error: type[Exception]
) -> None:
    let_go(store, how)
    with pytest.raises(error, match="no blocks"):
        Attempt(store, scheduler).run()
    let_go(store)
    Attempt(store, scheduler).run()  # the cause was mended and the task cleared
    assert len(scheduler.jobs) == 2


def test_a_job_that_leaves_nothing_may_be_tried_again(store: ArtifactStore, scheduler: DetachedProcesses) -> None:
    attempt = Attempt(store, scheduler)
    killed = threading.Thread(target=lambda: [job.kill() for job in wait_for_jobs(scheduler)])
    killed.start()
    with pytest.raises(WorkerLost, match="left no result: run it again to go on from its checkpoint"):
        attempt.run()
    killed.join()


def wait_for_jobs(scheduler: DetachedProcesses) -> list[subprocess.Popen[bytes]]:
    while not scheduler.jobs:
        time.sleep(0.01)
    return list(scheduler.jobs.values())


def test_a_fault_of_the_program_is_told_as_one(store: ArtifactStore, scheduler: DetachedProcesses) -> None:
    Attempt(store, scheduler).run_until_told(TaskDied)
    let_go(store, "1")
    for job in scheduler.jobs.values():
        job.wait()
    said = {"lines": ["[rank0]: KeyError: 'loss'"]}
    store.put(f"{PREFIX}/state/job/run/outcome-1.json", json.dumps(said).encode())
    with pytest.raises(ProgramFault, match="KeyError: 'loss'"):
        Attempt(store, scheduler).run()
