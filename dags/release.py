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
from pipeline.deployment import DOWNLOAD


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
    ingest = tasks.stage("ingest", pool=DOWNLOAD)
    index_benchmarks = tasks.stage("index_benchmarks")
    find_copies = tasks.stage("find_copies")
    list_hosts = tasks.stage("list_hosts")
    find_removals = tasks.stage("find_removals")
    regroup = tasks.stage("regroup")
    publish = tasks.stage("publish")

    first = [wait, begin, ingest, index_benchmarks]
    chain(*first, find_copies, list_hosts, find_removals, regroup, publish, tasks.finish(RELEASE))


release()
