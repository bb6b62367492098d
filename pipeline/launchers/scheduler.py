"""What the pipeline asks of a cluster's scheduler."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pipeline.errors import BadConfig, TransientError
from training.job import TrainingJob

CALL_S = 60.0
NOT_THE_JOBS = ("AIRFLOW", "_AIRFLOW", "XLMR_")  # beginnings of names


class SchedulerUnavailable(TransientError):
    """The scheduler does not answer."""


class Phase(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"  # the scheduler does not know it, or not any more


ACTIVE = {Phase.WAITING, Phase.RUNNING}


@dataclass(frozen=True)
class JobStatus:
    phase: Phase
    said: str  # in the scheduler's words


class Scheduler(Protocol):
    """All raise SchedulerUnavailable where the scheduler does not answer, BadConfig where it refuses."""

    def submit(self, job: TrainingJob, uri: str) -> str:
        """Start the job whose file lies at `uri`; the scheduler's id.  No job of that name is active."""

    def find(self, name: str) -> str | None:
        """The id of an active job of that name."""

    def status(self, job_id: str) -> JobStatus: ...

    def cancel(self, job_id: str) -> None:
        """Ask for its end; nothing happens if it has ended."""


def call(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a client program of the scheduler.  Raises BadConfig where it is missing.

    Slurm hands the caller's environment on to the job: not Airflow's, which has its secrets.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_JOBS)}
    try:
        return subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=CALL_S,
                              check=False)  # fmt: skip
    except FileNotFoundError as error:
        raise BadConfig(f"{command[0]} is not installed where the task runs: install it, or choose another `launcher` "
                        "in the deployment file") from error  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SchedulerUnavailable(f"{command[0]} did not answer within {CALL_S:.0f} s") from error
