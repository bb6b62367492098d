"""A node's part of a job: it starts torchrun, and again after a lost process, node or link, within the job's bounds.

torchrun alone may wait for minutes behind a cut link, and other nodes cannot end it: here every node has deadlines of
its own.  A restart begins with a rendezvous, so that all nodes leave their workers and go on from one checkpoint.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from training.child import die_with_parent
from training.errors import EXIT_DONE, EXIT_TRY_AGAIN, EXIT_WRONG
from training.job import TrainingJob
from training.storage import StorageRefused, StorageUnavailable, open_folder

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
TICK_S = 0.5
PAUSE_S = 3.0  # between two attempts: the other nodes notice that the first has ended
LEAVE_S = 30.0  # torchrun's workers have ended: so long it may take to end itself
TAIL_LINES, LINE_CHARACTERS = 60, 1000
OUTCOME = "outcome-{}.json"  # how a node ended, for the other nodes and for who submitted the job
FINAL = (EXIT_WRONG, 1)  # no node can go on after one of these


def torchrun_arguments(job: TrainingJob, work: Path, node_rank: int | None, options: Sequence[str]) -> list[str]:
    """torchrun's options and the workers' command; brings the inputs to this node."""
    config = work / "config.json"
    config.write_text(json.dumps(job.settings_here(work), indent=1, sort_keys=True))
    start = ["--nproc-per-node", str(job.processes)]
    if job.nodes == 1:
        start += ["--standalone"]
    else:
        waits = f"join_timeout={job.join_timeout_s:.0f},last_call_timeout=1,read_timeout=30"
        held = "" if node_rank is None else f",is_host={int(node_rank == 0)}"
        start += ["--nnodes", str(job.nodes), "--rdzv-backend", "c10d", "--rdzv-id", job.name,
                  "--rdzv-conf", waits + held]  # fmt: skip
    return [*start, *options, "-m", "training", "pretrain", "--config", str(config)]


class Node:
    """Attempts of torchrun, one after another."""

    def __init__(self, job: TrainingJob, arguments: Sequence[str]) -> None:
        self.job = job
        self.command = [sys.executable, "-m", "training.launch", *arguments]
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.stop = threading.Event()
        self.torchrun: subprocess.Popen[bytes] | None = None
        self.worked = time.monotonic()  # when workers ran last

    def run(self) -> int:
        """The exit status: 0 done, 2 wrong, 1 a fault of the program, 75 stopped or beyond the job's bounds."""
        for number in SIGNALS:
            signal.signal(number, self._ask_to_stop)
        status = self._repeat()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the status is known: a late signal must not change it
        if status == EXIT_TRY_AGAIN:
            status = self._verdict() or status
        self._leave_outcome(status)
        return status

    def _repeat(self) -> int:
        restarts = 0
        while True:
            status, had_workers = self._attempt()
            restarts += had_workers
            if status != EXIT_TRY_AGAIN or self.stop.is_set() or self._verdict():
                return status
            if restarts > self.job.restarts:
                self._say(f"{self.job.restarts} restarts, and the run was cut off again")
                return status
            if self._alone_s() > self.job.join_timeout_s:
                self._say(f"the {self.job.nodes} nodes did not come together within {self.job.join_timeout_s:g} s")
                return status
            if self.stop.wait(PAUSE_S):
                return status

    def _attempt(self) -> tuple[int, bool]:
        """(exit status, whether workers ran)."""
        had_workers = False
        job = self.torchrun = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent
        )
        assert job.stdout is not None
        reader = threading.Thread(target=self._pass_on, args=(job.stdout,), daemon=True)
        reader.start()
        while job.poll() is None:
            time.sleep(TICK_S)
            if children(job.pid):
                had_workers, self.worked = True, time.monotonic()
            elif self._alone_s() > (LEAVE_S if had_workers else self.job.join_timeout_s + LEAVE_S):
                self._say("torchrun has no workers and does not end: it is ended")
                job.kill()
        reader.join(5)
        status = job.returncode
        return status if status in {EXIT_DONE, EXIT_WRONG, 1} else EXIT_TRY_AGAIN, had_workers

    def _alone_s(self) -> float:
        return time.monotonic() - self.worked

    def _ask_to_stop(self, *_: object) -> None:
        """Workers write a checkpoint and end; torchrun follows them.  Its own way leaves them 30 seconds only."""
        self.stop.set()
        job = self.torchrun
        if job is None or job.poll() is not None:
            return
        workers = children(job.pid)
        for worker in workers:
            os.kill(worker, signal.SIGUSR1)
        if not workers:
            job.terminate()

    def _pass_on(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._say(line.decode(errors="replace").rstrip()[:LINE_CHARACTERS])

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        self.tail.append(line)

    def _verdict(self) -> int | None:
        """The status that another node has ended the run with, where no node can go on."""
        try:
            names = open_folder(self.job.state).names("outcome-")
        except (StorageUnavailable, StorageRefused, OSError) as error:
            log.warning("how other nodes ended could not be read in %s: %s", self.job.state, error)
            return None
        return next((status for status in FINAL if OUTCOME.format(status) in names), None)

    def _leave_outcome(self, status: int) -> None:
        if status == EXIT_DONE:
            return
        record = {"status": status, "node": os.uname().nodename, "lines": list(self.tail)}
        try:
            open_folder(self.job.state).put(json.dumps(record).encode(), OUTCOME.format(status))
        except (StorageUnavailable, StorageRefused, OSError) as error:
            log.warning("how this node ended could not be left in %s: %s", self.job.state, error)


def forget_outcomes(state: str) -> None:
    """A new start: how nodes ended before means nothing."""
    folder = open_folder(state)
    for name in folder.names("outcome-"):
        folder.delete(name)


def children(pid: int) -> list[int]:
    """Numbers of a process's living children (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found
