"""Encodes a release, pretrains a masked LM and exports it for Hugging Face; started by a finished vocabulary."""

from __future__ import annotations

from airflow.sdk import IdentityMapper, PartitionedAssetTimetable, chain, dag

from dags.assets import CHECKPOINT, VOCABULARY
from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline import runs
from pipeline.deployment import TRAINING


@dag(
    dag_id=runs.PRETRAIN.dag_id,
    schedule=PartitionedAssetTimetable(assets=VOCABULARY, default_partition_mapper=IdentityMapper()),
    params=form(runs.PRETRAIN),
    catchup=False,
    max_active_runs=4,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def pretrain() -> None:
    tasks = RunTasks(runs.PRETRAIN)
    begin = tasks.begin()
    encode = tasks.stage("encode")
    pretrain = tasks.stage("pretrain", pool=TRAINING)
    export = tasks.stage("export")

    chain(begin, encode, pretrain, export, tasks.finish(CHECKPOINT))


pretrain()
