"""Finding and stopping the processes of a home, with real processes in sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.airflow import attendant
from embedded.airflow.processes import MARK, Identity, is_running, members, stop
from embedded.airflow.state import State

ROOT = Path(__file__).resolve().parents[2]
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
# A parent that starts a child in a session of its own, tells its pid, and ends.
ORPHAN = (
    "import subprocess, sys; "
    f"print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True, stdout=2).pid)"
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code marked for `tmp_path`; all of it is killed at the end."""

    def begin(*arguments: str, home: Path = tmp_path) -> subprocess.Popen[str]:
        environment = {**os.environ, MARK: str(home), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, *arguments]
        return subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    yield begin
    for process in [*members(tmp_path), *members(tmp_path / "other")]:
        process.kill()
        process.wait(5)


def pids(home: Path) -> set[int]:
    return {process.pid for process in members(home)}


def test_marked_processes_are_found_and_those_of_another_home_are_not(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    ours, theirs = start("-c", SLEEP), start("-c", SLEEP, home=tmp_path / "other")
    assert pids(tmp_path) == {ours.pid}
    assert pids(tmp_path / "other") == {theirs.pid}


def test_a_child_in_its_own_session_is_found_after_its_parent_ended(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    parent = start("-c", ORPHAN)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.wait(10)
    assert pids(tmp_path) == {child}
    assert stop(lambda: members(tmp_path), lambda text: None) == (1, [])
    assert not psutil.pid_exists(child) or not is_running(psutil.Process(child))


def test_the_children_of_a_marked_process_that_cleared_their_environment_are_found(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}], env={{}})"
    parent = start("-c", code)
    deadline = time.monotonic() + 10
    while len(pids(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids(tmp_path)) == 2
    assert parent.pid in pids(tmp_path)


def test_a_process_that_does_not_end_when_asked_is_killed_after_its_time(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.airflow.processes.PROGRAM_GRACE_S", 0.2)
    stubborn = start("-c", STUBBORN)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    said: list[str] = []
    assert stop(lambda: members(tmp_path), said.append) == (1, [])
    assert str(stubborn.pid) in said[0]


def test_the_attendant_stops_everything_when_nobody_needs_airflow(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    user, component = start("-c", SLEEP, home=tmp_path / "other"), start("-c", SLEEP)
    state = State(users=[Identity.of(psutil.Process(user.pid))])
    state.write(tmp_path)
    watching = start("-m", attendant.__name__, str(tmp_path))
    with pytest.raises(subprocess.TimeoutExpired):
        component.wait(2)
    user.kill()
    user.wait()
    watching.wait(15)
    assert component.wait(5) != 0
    assert not pids(tmp_path)
