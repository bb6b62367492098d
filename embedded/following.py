"""One run of a DAG: start it or join it, follow it to its end, say what an interrupt leaves behind."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from embedded.airflow.client import DONE_STATES, DagRun
from embedded.airflow.errors import AirflowError
from embedded.airflow.installation import FIRST_DAG, EmbeddedAirflow
from pipeline.errors import PermanentError, TransientError
from pipeline.follow import Follower

POLL_S = 1.0
NO_ANSWER_S = 60.0  # under load Airflow may be silent for a while


class RunFailed(PermanentError):
    """A task failed for good."""


class RunStopped(TransientError):
    """Airflow or a task stopped in a way that may pass."""


def run_dag(airflow: EmbeddedAirflow, conf: Mapping[str, Any], follower: Follower, console: Console) -> None:
    """Start Airflow if needed, run the whole flow with these settings, follow it to its end.

    Runs of others are never touched.  Airflow stops afterwards if nobody else needs it.
    """
    run: DagRun | None = None
    begun = time.monotonic()
    try:
        started = airflow.start(keep=False)
        ready = f"ready after {time.monotonic() - begun:.0f} s" if started else "runs already"
        console.print(f"Airflow {ready}: {credentials(airflow)}", soft_wrap=True)
        run = start_or_join(airflow, conf, console)
        _follow(airflow, run, follower, console)
    except KeyboardInterrupt:
        _say_interrupted(airflow, run, console)
        raise
    finally:
        airflow.leave()


def credentials(airflow: EmbeddedAirflow) -> str:
    known = airflow.secrets
    return f"{airflow.url}  user admin  password {known.password}  (to look only: viewer {known.viewer_password})"


def start_or_join(airflow: EmbeddedAirflow, conf: Mapping[str, Any], console: Console) -> DagRun:
    """The active run with the same settings if there is one, else a new one; says what stands before it."""
    wanted = json.loads(json.dumps(dict(conf)))
    active = airflow.client.active_runs(FIRST_DAG)
    for run in active:
        if run.conf == wanted:
            console.print(
                f"run {run.run_id} with the same settings is {run.state} already: following it", soft_wrap=True
            )
            return run
    made = airflow.client.trigger(FIRST_DAG, conf)
    if active:
        first = active[0]
        page = airflow.client.page(FIRST_DAG, first.run_id)
        console.print(f"run {made.run_id} waits: {first.run_id} is {first.state} before it (see {page}; "
                      f"cancel that one: make cancel RUN={first.run_id})", soft_wrap=True)  # fmt: skip
    return made


def _follow(airflow: EmbeddedAirflow, run: DagRun, follower: Follower, console: Console) -> None:
    with follower.bar:
        state = run.state
        while state not in DONE_STATES:
            follower.poll()
            time.sleep(POLL_S)
            now = _state(airflow, run)
            if (state, now) == ("queued", "running"):
                console.print(f"run {run.run_id} has started", soft_wrap=True)
            state = now
        follower.poll()
    if state == "failed":
        failures = airflow.client.failures(run.dag_id, run.run_id)
        page = airflow.client.page(run.dag_id, run.run_id)
        raise RunFailed("the run failed: " + ("; ".join(failures) or f"no task did; was it cancelled? See {page}"))
    if not follower.finished:
        raise RunStopped("Airflow says success but manifests are missing: run it again")


def _state(airflow: EmbeddedAirflow, run: DagRun) -> str:
    """The run's state now.  Raises AirflowError when Airflow was stopped, lost a component, or stays silent."""
    deadline = time.monotonic() + NO_ANSWER_S
    while True:
        missing = airflow.missing()
        try:
            if not missing:
                return airflow.client.run(run.dag_id, run.run_id).state
        except AirflowError:
            if time.monotonic() > deadline:
                raise
        if missing:
            _say_why(airflow, missing)
        time.sleep(POLL_S)


def _say_why(airflow: EmbeddedAirflow, missing: list[str]) -> None:
    if airflow.was_stopped():
        raise AirflowError("Airflow was stopped by another command; run it again to go on")
    raise AirflowError(f"{airflow.why_ended(missing)}; finished units are kept: run it again to go on")


def _say_interrupted(airflow: EmbeddedAirflow, run: DagRun | None, console: Console) -> None:
    """At once: stopping takes seconds.  Before Airflow was ready `start` has said it."""
    if run and airflow.stops_with_us():
        console.print("interrupted: stopping Airflow and the run; finished units are kept.  Run it again to go on  "
                      "(Ctrl-C again: leave at once, Airflow stops by itself)", soft_wrap=True)  # fmt: skip
    elif run:
        console.print(f"interrupted: Airflow was up before, so the run goes on there.  See it: "
                      f"{airflow.client.page(run.dag_id, run.run_id)}  follow it again: the same make run  "
                      f"cancel it: make cancel RUN={run.run_id}", soft_wrap=True)  # fmt: skip
