"""A job on a cluster that outlives the task which submitted it: submit once, follow, cancel, take the result.

Under `{state}/job` in the store lie the job file, `submitted.json` (which job of which scheduler), and `run/`, the
folder that the job's processes keep checkpoints and metrics in.  Who owns the unit's lease follows the job; the next
owner goes on following it, or submits it again where it has ended without a result.
"""

from __future__ import annotations

import json
import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.draft import Draft
from pipeline.errors import MissingArtifact, StoreUnavailable, WorkerLost
from pipeline.launchers.processes import failure
from pipeline.launchers.scheduler import ACTIVE, JobStatus, Phase, Scheduler, SchedulerUnavailable
from pipeline.lease import STATE_NAME
from pipeline.run_folder import EVENTS, MILESTONES, SUMMARY, run_folder
from training.job import TrainingJob

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
AWAY_S = 1800.0  # so long a scheduler or the store may be away before the task gives up; the job goes on
END_S = 120.0  # a cancelled job's time to end
NO_RESULT = ("checkpoints/", f"{MILESTONES}/", f"{EVENTS}/")  # of the job's folder
STOPPED = "the task was asked to stop; its job was cancelled, its checkpoints are kept"
OUTCOMES = (2, 1, 75)  # statuses that a node's outcome-STATUS.json may be of, the gravest first


class Cancelled(WorkerLost):
    """The task was asked to stop, and its job with it."""


@dataclass(frozen=True)
class Submitted:
    """What `submitted.json` says.  `job` "" was about to be submitted."""

    name: str
    job: str
    cancelled: bool = False


class SubmittedJob:
    """The one job of a unit.  `job_of(state URI)` makes its job file."""

    def __init__(
        self, draft: Draft, scheduler: Scheduler, job_of: Callable[[str], TrainingJob], look_s: float = LOOK_EVERY_S
    ) -> None:
        self.draft, self.store, self.scheduler, self.look_s = draft, draft.store, scheduler, look_s
        self.place = f"{draft.prefix}/{STATE_NAME}/job"
        self.job = job_of(self.store.uri(f"{self.place}/run"))
        self.folder = run_folder(self.store, f"{self.place}/run")
        self._last: JobStatus | None = None
        self._away_since: float | None = None  # the store

    def run(self, on_look: Callable[[], None], results: Path) -> Path:
        """See that the job has run to its end; its result in the folder `results`.

        `on_look` is called while the job runs, to look at `folder`; a store that is away is waited for.  Raises what
        the job's end means; Cancelled after SIGTERM or Ctrl-C.
        """
        lease = self.draft.own()
        with _interrupted() as stop:
            try:
                job_id = self._submit_or_reconnect()
                while (status := self._look(job_id)).phase in ACTIVE:
                    lease.check()
                    self._call(on_look)
                    if stop.wait(self.look_s):
                        raise Cancelled(STOPPED)
            except (Cancelled, KeyboardInterrupt):
                self._cancel()
                raise
        if not self._has(SUMMARY):
            raise self._failure(job_id, status)
        return self._bring(results)

    def _call(self, on_look: Callable[[], None]) -> None:
        """The job does not need this task: what cannot be read now is read at a later look."""
        try:
            on_look()
        except StoreUnavailable as error:
            if self._away_since is None:
                self._away_since = time.monotonic()
            if time.monotonic() - self._away_since > AWAY_S:
                raise
            log.warning("%s: looked at again later: %s", self.draft.what, error)
        else:
            self._away_since = None

    def _submit_or_reconnect(self) -> str:
        """The id of the job to follow."""
        found = self._record()
        if found is not None and not found.cancelled:
            job_id = found.job or self.scheduler.find(found.name)
            if job_id is not None:
                status = self._look(job_id)
                if status.phase in ACTIVE or self._has(SUMMARY) or self._outcome()[0] in {1, 2}:
                    log.info("%s: following job %s of an earlier attempt: %s", self.draft.what, job_id, status.said)
                    return job_id
                log.info("%s: job %s ended (%s): submitting it again, it goes on from its last checkpoint",
                         self.draft.what, job_id, status.said)  # fmt: skip
        elif found is not None and found.job:
            self._wait_for_end(found.job)
        for status_number in OUTCOMES:
            self.store.delete(self._outcome_key(status_number))
        self.store.put(f"{self.place}/job.json", self.job.to_json().encode())
        self._write(Submitted(self.job.name, ""))
        job_id = self.scheduler.submit(self.job, self.store.uri(f"{self.place}/job.json"))
        self._write(Submitted(self.job.name, job_id))
        log.info("%s: submitted job %s (%s)", self.draft.what, job_id, self.job.name)
        return job_id

    def _look(self, job_id: str) -> JobStatus:
        """The status; a scheduler that is away is waited for."""
        deadline = time.monotonic() + AWAY_S
        while True:
            try:
                status = self.scheduler.status(job_id)
                break
            except SchedulerUnavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("%s: asked again: %s", self.draft.what, error)
                time.sleep(self.look_s)
        if status != self._last:
            log.info("%s: job %s: %s", self.draft.what, job_id, status.said)
            self._last = status
        return status

    def _cancel(self) -> None:
        """Also a job that was submitted, but whose id is not yet written."""
        found = self._record()
        if found is None:
            return
        job_id = found.job or self.scheduler.find(found.name)
        if job_id is not None:
            self._write(Submitted(found.name, job_id, cancelled=True))
            self.scheduler.cancel(job_id)
            log.info("%s: cancelled job %s; its checkpoints are kept", self.draft.what, job_id)

    def _wait_for_end(self, job_id: str) -> None:
        """Two jobs must not write one state."""
        self.scheduler.cancel(job_id)
        deadline = time.monotonic() + END_S
        while self._look(job_id).phase in ACTIVE:
            if time.monotonic() > deadline:
                raise WorkerLost(f"job {job_id} was cancelled and does not end: look after it, then try again")
            time.sleep(self.look_s)

    def _failure(self, job_id: str, status: JobStatus) -> Exception:
        """By what the nodes left; it is said once, the next attempt submits again."""
        number, lines = self._outcome()
        self.store.delete(f"{self.place}/submitted.json")
        if number is None:
            reason = "was not found" if status.phase is Phase.GONE else f"ended ({status.said})"
            return WorkerLost(f"job {job_id} {reason} and left no result: run it again to go on from its checkpoint")
        return failure(number, lines)

    def _outcome(self) -> tuple[int | None, list[str]]:
        for number in OUTCOMES:
            with suppress(MissingArtifact):
                return number, list(json.loads(self.store.get(self._outcome_key(number)))["lines"])
        return None, []

    def _bring(self, results: Path) -> Path:
        above = f"{self.place}/run/"
        for key in self.store.list(above):
            name = key.removeprefix(above)
            if not name.startswith(NO_RESULT):
                target = results / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.store.local(key), target)
        return results

    def _record(self) -> Submitted | None:
        with suppress(MissingArtifact):
            return Submitted(**json.loads(self.store.get(f"{self.place}/submitted.json")))
        return None

    def _write(self, record: Submitted) -> None:
        self.store.put(f"{self.place}/submitted.json", json.dumps(asdict(record), sort_keys=True).encode())

    def _has(self, name: str) -> bool:
        return self.store.exists(f"{self.place}/run/{name}")

    def _outcome_key(self, number: int) -> str:
        return f"{self.place}/run/outcome-{number}.json"


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """SIGTERM (Airflow: the task was cleared or its run marked as failed) raises Cancelled in the main thread, and sets
    the event, for where a library keeps exceptions to itself (logging does)."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(*_: object) -> None:
        asked.set()
        raise Cancelled(STOPPED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
