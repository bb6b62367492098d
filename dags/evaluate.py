"""Every benchmark and the report, when a checkpoint is there."""

from __future__ import annotations

from airflow.sdk import dag

from dags.as_task import CHECKPOINT, REPORT, flow_tasks, form


@dag(
    dag_id="xlmr_evaluate",
    schedule=[CHECKPOINT],
    params=form(),
    catchup=False,
    max_active_runs=1,
    tags=["xlmr"],
    doc_md=__doc__,
)
def evaluate() -> None:
    flow_tasks("evaluate", REPORT)


evaluate()
