"""Starts xlmr_milestones from a task that goes on.

Airflow tells an asset's events when the task has ended, and a task has no call for them before; what it may do at any
time is to start a run of a DAG, as TriggerDagRunOperator does at its end.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from dags.installation import DEPLOYMENT
from pipeline.announcements import new_milestones
from pipeline.store import open_store

log = logging.getLogger(__name__)

DAG_ID = "xlmr_milestones"


def wake_evaluation(name: str) -> None:
    """Have the milestones told that nobody was told of yet.  A failure is a warning: training goes on, and the next
    milestone, or the training's end, tells of all."""
    if not new_milestones(open_store(DEPLOYMENT.store)):
        return
    try:
        _start_run(f"milestone__{name.replace('@', '__')}__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}")
    except (ImportError, OSError, EOFError, RuntimeError) as error:
        log.warning("%s: %s was not started (%s): start it by hand, or wait for the next one", name, DAG_ID, error)


def _start_run(run_id: str) -> None:
    # The messages between a task and its supervisor are Airflow's own, so another version may have others.
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    try:
        SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=DAG_ID, run_id=run_id))
    except AirflowRuntimeError as error:
        raise RuntimeError(str(error)) from error
    log.info("started %s %s", DAG_ID, run_id)
