"""The published CC-100 release and its vocabulary, when a crawl's shards are there."""

from __future__ import annotations

from airflow.sdk import dag

from dags.as_task import SHARDS, VOCABULARY, flow_tasks, form


@dag(
    dag_id="xlmr_release",
    schedule=[SHARDS],
    params=form(),
    catchup=False,
    max_active_runs=1,
    tags=["xlmr"],
    doc_md=__doc__,
)
def release() -> None:
    flow_tasks("release", VOCABULARY)


release()
