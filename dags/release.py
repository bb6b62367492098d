"""Publishes a named set of languages and dumps as Parquet files, each text once.

Started by hand, with the form's fields or a release file, or by xlmr_release_ready when the last dump of a release
file has finished.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from dags.assets import RELEASE
from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline import runs


@dag(
    dag_id=runs.RELEASE.dag_id,
    schedule=None,
    params=form(runs.RELEASE),
    catchup=False,
    max_active_runs=16,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def release() -> None:
    tasks = RunTasks(runs.RELEASE)
    wait, begin = tasks.wait(), tasks.begin()
    find_copies = tasks.stage("find_copies")
    regroup = tasks.stage("regroup")
    publish = tasks.stage("publish")

    chain(wait, begin, find_copies, regroup, publish, tasks.finish(RELEASE))


release()
