"""Starts xlmr_release for each release file whose dumps are all there, whenever a dump is finished.

It looks at the store, not at the event that started it. So dumps that end at the same moment all count, and start one
run; its id names the release and what it is made of.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import IdentityMapper, PartitionedAssetTimetable, dag, task

from dags.assets import DUMP
from dags.failures import explain, notify
from dags.releases import ready_releases
from dags.tasks import RETRIES, told
from pipeline.runs import RELEASE


@dag(
    dag_id="xlmr_release_ready",
    schedule=PartitionedAssetTimetable(assets=DUMP, default_partition_mapper=IdentityMapper()),
    catchup=False,
    max_active_runs=4,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def release_ready() -> None:
    @task(on_failure_callback=explain, **RETRIES)
    def find_ready() -> list[dict[str, Any]]:
        """The releases to start; what the others miss is in the log."""
        found: list[dict[str, Any]] = told(ready_releases)
        return found

    start = TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id=RELEASE.dag_id, skip_when_already_exists=True, on_failure_callback=explain
    )
    start.expand_kwargs(find_ready())


release_ready()
