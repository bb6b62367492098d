"""Crawl files to scored, deduplicated documents of each language (CCNet)."""

from __future__ import annotations

from airflow.sdk import dag

from dags.as_task import SHARDS, flow_tasks, form


@dag(
    dag_id="xlmr_corpus",
    schedule=None,
    params=form(),
    catchup=False,
    max_active_runs=1,
    tags=["xlmr"],
    doc_md=__doc__,
)
def corpus() -> None:
    flow_tasks("corpus", SHARDS)


corpus()
