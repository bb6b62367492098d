"""Token blocks, masked-LM pretraining and the Hugging Face export, when a vocabulary is there."""

from __future__ import annotations

from airflow.sdk import dag

from dags.as_task import CHECKPOINT, VOCABULARY, flow_tasks, form


@dag(
    dag_id="xlmr_pretrain",
    schedule=[VOCABULARY],
    params=form(),
    catchup=False,
    max_active_runs=1,
    tags=["xlmr"],
    doc_md=__doc__,
)
def pretrain() -> None:
    flow_tasks("pretrain", CHECKPOINT)


pretrain()
