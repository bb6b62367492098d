"""Fine-tunes a checkpoint on every benchmark, scores it and writes the report; started by a finished checkpoint."""

from __future__ import annotations

from airflow.sdk import IdentityMapper, PartitionedAssetTimetable, chain, dag

from dags.assets import CHECKPOINT, SCORES
from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline import runs
from pipeline.deployment import DOWNLOAD, TRAINING


@dag(
    dag_id=runs.EVALUATE.dag_id,
    schedule=PartitionedAssetTimetable(assets=CHECKPOINT, default_partition_mapper=IdentityMapper()),
    params=form(runs.EVALUATE),
    catchup=False,
    max_active_runs=4,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def evaluate() -> None:
    tasks = RunTasks(runs.EVALUATE)
    begin = tasks.begin()
    ingest = tasks.stage("ingest", pool=DOWNLOAD)
    evaluate = tasks.stage("evaluate", pool=TRAINING)
    report = tasks.stage("report")

    chain(begin, ingest, evaluate, report, tasks.finish(SCORES))


evaluate()
