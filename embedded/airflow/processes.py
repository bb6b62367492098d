"""Which processes belong to one Airflow home, and how they are stopped.

A process is known by its pid and the time it was created.  Everything started for a home carries the home's path in
its environment, so that it is found after its parent died, in whatever session or process group it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
from pydantic import BaseModel

MARK = "XLMR_INSTANCE"
OUR_MODULES = "embedded.airflow."
CLOCK_STEP_S = 2.0  # the kernel's boot time moves when the clock is set; no pid comes back within that
COMPONENT_GRACE_S = 3.0
PROGRAM_GRACE_S = 30.0  # torchrun's workers save a checkpoint when they are asked to stop
DATABASE = "airflow.db"
TITLES = ("scheduler", "dag-processor", "api-server", "api_server", "triggerer", "LocalExecutor", "standalone")


class Identity(BaseModel):
    """One process; the pid alone may be another's by now."""

    pid: int
    created: float

    @classmethod
    def of(cls, process: psutil.Process) -> Identity:
        return cls(pid=process.pid, created=process.create_time())

    def process(self) -> psutil.Process | None:
        """The process if it still runs."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) < CLOCK_STEP_S and is_running(process):
                return process
        return None


def myself() -> Identity:
    return Identity.of(psutil.Process())


def is_running(process: psutil.Process) -> bool:
    """A zombie does not run: nobody has collected it.  Our own are collected here."""
    with contextlib.suppress(OSError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_ended(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until these ended; returns those that did not.  A zombie has ended, whoever forgets to collect it."""
    deadline = time.monotonic() + timeout_s
    left = list(processes)
    while left := [process for process in left if is_running(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def members(home: Path) -> list[psutil.Process]:
    """All running processes of this home but the caller and those above it: marked ones, Airflow components that have
    its database open, and whatever descends from them."""
    everything = list(psutil.process_iter())
    ours = psutil.Process()
    spared = {ours.pid, *(parent.pid for parent in ours.parents())}
    parents = {process.pid: _parent(process) for process in everything}
    found = {process.pid for process in everything if process.pid not in spared and _belongs(process, home)}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found - spared:
        found |= grown
    return [process for process in everything if process.pid in found and is_running(process)]


def family(processes: Iterable[psutil.Process]) -> set[int]:
    """Pids of these processes and of everything below them."""
    pids = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            pids |= {process.pid, *(child.pid for child in process.children(recursive=True))}
    return pids


def title(process: psutil.Process) -> str:
    """pid and what it runs, for a message."""
    try:
        words = process.cmdline() or [process.name()]
    except psutil.Error:
        words = ["ended"]
    return f"{process.pid} ({' '.join(words).strip()[:80]})"


def stop(find: Callable[[], list[psutil.Process]], say: Callable[[str], None]) -> tuple[int, list[psutil.Process]]:
    """Stop what `find` finds until it finds nothing.  Returns how many ended, and those that still run.

    The workers of Airflow's executor are frozen first, so that none reports its task as failed: the next scheduler
    starts such tasks again.  Programs that tasks started get time to save their state, the rest is ended.
    """
    seen: set[int] = set()
    for _ in range(4):
        found = find()
        seen |= {process.pid for process in found}
        if not found:
            break
        forks = [process for process in found if _is_fork(process)]
        _signal(forks, signal.SIGSTOP)
        programs = [process for process in found if process not in forks and not _is_component(process)]
        _end_programs(programs, say)
        _signal(forks, signal.SIGKILL)
        components = [process for process in found if _is_component(process) and process not in forks]
        _end(components, COMPONENT_GRACE_S)
        wait_ended(forks, COMPONENT_GRACE_S)
    remaining = find()
    return len(seen - {process.pid for process in remaining}), remaining


def _end_programs(programs: list[psutil.Process], say: Callable[[str], None]) -> None:
    """Ask the topmost of them, which tell their own workers: twice asked is ended at once."""
    pids = {process.pid for process in programs}
    roots = [process for process in programs if _parent(process) not in pids]
    _signal(roots, signal.SIGTERM)
    slow = wait_ended(programs, 1)
    if slow:
        names = ", ".join(title(process) for process in roots)
        say(f"waiting up to {PROGRAM_GRACE_S:.0f} s for {names} to save its state")
    left = wait_ended(slow, PROGRAM_GRACE_S)
    _signal(left, signal.SIGKILL)
    wait_ended(left, COMPONENT_GRACE_S)


def _end(processes: list[psutil.Process], grace_s: float) -> None:
    _signal(processes, signal.SIGTERM)
    left = wait_ended(processes, grace_s)
    _signal(left, signal.SIGKILL)
    wait_ended(left, grace_s)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        if process.environ().get(MARK) == str(home):
            return True
        words = " ".join(process.cmdline())
        if "airflow" not in words or not any(name in words for name in TITLES):
            return False
        return any(Path(file.path) == home / DATABASE for file in process.open_files())
    except (psutil.Error, OSError):
        return False


def _is_component(process: psutil.Process) -> bool:
    """Airflow's own code, started here or a fork of it; not a program that a task started."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return True
    started = any(word.startswith(OUR_MODULES) for word in words[:3]) or words[1:3] == ["-m", "airflow"]
    return started or (bool(words) and words[0].startswith("airflow "))


def _is_fork(process: psutil.Process) -> bool:
    """A process that a component forked to run or parse something: components lead a session of their own."""
    try:
        return _is_component(process) and os.getsid(process.pid) != process.pid
    except OSError:
        return False
