"""Crawl to evaluated model in one run: all stages of the walk."""

from __future__ import annotations

from airflow.sdk import dag

from dags.as_task import REPORT, flow_tasks, form


@dag(
    dag_id="xlmr_end_to_end",
    schedule=None,
    params=form(),
    catchup=False,
    max_active_runs=1,
    tags=["xlmr"],
    doc_md=__doc__,
)
def end_to_end() -> None:
    flow_tasks("end_to_end", REPORT)


end_to_end()
