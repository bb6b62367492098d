"""A job as processes of this machine: start it, tell what they say, and make sure that none outlives the task."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from pipeline.errors import (
    EXIT_TRY_AGAIN,
    EXIT_WRONG,
    BadInput,
    FactoryError,
    PermanentError,
    ProgramFault,
    StoreUnavailable,
    WorkerLost,
)
from training.child import die_with_parent

log = logging.getLogger(__name__)

TICK_S = 1.0
STOP_S = 30.0  # a worker that is asked to stop writes a checkpoint first
TAIL_LINES = 400
WINDOW_S, WINDOW_LINES, LINE_CHARACTERS = 30.0, 60, 1000  # what a task's log takes of the workers' output
USER_ERROR = re.compile(r"^training: \w+: (.*)$")  # training/__main__.py says it of settings and data
EXCEPTION = re.compile(r"^(?:\[[\w ]+\]:\s*)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt)): (.*)$")
# Exceptions that tell of another process, the network or a signal, not of the program.
PASSING = re.compile(r"ChildFailedError|SignalException|Rendezvous|Dist\w*Error|Connection|[Tt]imed? ?out|Timeout"
                     r"|gloo|NCCL|[Ss]ocket|Broken pipe")  # fmt: skip


def run_processes(job_file: Path, *, on_tick: Callable[[], None]) -> None:
    """Run the job of one node here; `on_tick` is called every second and once at the end.

    Raises BadInput or ProgramFault with what a worker said, where asking again gives the same answer; else WorkerLost:
    the checkpoints stand, so a retry goes on from them.
    """
    command = [sys.executable, "-m", "training.launch", "--job", str(job_file), "--work", str(job_file.parent)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
    assert job.stdout is not None
    output = Output(job.stdout)
    try:
        while job.poll() is None:
            time.sleep(TICK_S)
            on_tick()
    finally:
        _stop(job)
        output.end()
    on_tick()
    if job.returncode:
        raise failure(job.returncode, list(output.tail))


class Output:
    """Passes a process's lines on to the log as they come, within bounds, and keeps the last ones."""

    def __init__(self, stream: IO[bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stream, self._clock = stream, clock
        self._since, self._told, self._left_out = clock(), 0, 0
        self._thread = threading.Thread(target=self._read, name="output of torchrun", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for the last lines; not for a process that inherited the pipe and does not end."""
        self._thread.join(5)
        self._tell_left_out()

    def _read(self) -> None:
        for line in self._stream:
            text = line.decode(errors="replace").rstrip()[:LINE_CHARACTERS]
            if text:
                self.tail.append(text)
                self._tell(text)

    def _tell(self, text: str) -> None:
        if self._clock() - self._since >= WINDOW_S:
            self._tell_left_out()
            self._since, self._told = self._clock(), 0
        if self._told < WINDOW_LINES:
            self._told += 1
            log.info("worker: %s", text)
        else:
            self._left_out += 1

    def _tell_left_out(self) -> None:
        if self._left_out:
            log.info("worker: %d lines left out", self._left_out)
            self._left_out = 0


def failure(status: int, lines: Sequence[str]) -> FactoryError:
    """What torchrun's end means, by what its workers said."""
    refused = [match.group(1) for match in map(USER_ERROR.match, lines) if match]
    if refused and status == EXIT_WRONG:
        return BadInput(refused[-1])
    if any("No space left on device" in line for line in lines):
        return StoreUnavailable("a worker found the disk full: free some of it and run the same command again")
    if any(re.search(r"out of memory|can't allocate memory", line) for line in lines):
        return PermanentError("a worker had not enough memory: lower batch_blocks or the model's size, "
                              f"or use more processes. It said: {_tail(lines)}")  # fmt: skip
    told = [match.group(0) for match in map(EXCEPTION.match, lines) if match]
    faults = [line for line in told if not PASSING.search(line)]
    if faults:
        return ProgramFault(f"a worker failed: {faults[-1]} (its traceback is in the log above)")
    asked = status == EXIT_TRY_AGAIN or any(re.search(rf"exitcode\s*: {EXIT_TRY_AGAIN}\b", line) for line in lines)
    reason = "was asked to stop" if asked else f"ended with {status}"
    return WorkerLost(f"torchrun {reason}; run it again to go on from its checkpoint. It said: {_tail(lines)}")


def _tail(lines: Sequence[str]) -> str:
    errors = [line for line in lines if "Error" in line and "ChildFailedError" not in line]
    return " | ".join([*errors[-2:], *lines[-3:]])


def _stop(job: subprocess.Popen[bytes]) -> None:
    """Ask torchrun to stop, which asks its workers; end what is left.  Workers are in sessions of their own."""
    if job.poll() is not None:
        return
    try:
        below = psutil.Process(job.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    job.send_signal(signal.SIGTERM)
    try:
        job.wait(STOP_S)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()
    for process in psutil.wait_procs(below, timeout=1)[1]:
        process.kill()  # psutil makes sure that the number still means this process
