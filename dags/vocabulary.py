"""Trains one SentencePiece vocabulary on a release; started by a published release."""

from __future__ import annotations

from airflow.sdk import IdentityMapper, PartitionedAssetTimetable, chain, dag

from dags.assets import RELEASE, VOCABULARY
from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline import runs
from pipeline.deployment import TRAINING


@dag(
    dag_id=runs.VOCABULARY.dag_id,
    schedule=PartitionedAssetTimetable(assets=RELEASE, default_partition_mapper=IdentityMapper()),
    params=form(runs.VOCABULARY),
    catchup=False,
    max_active_runs=4,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def vocabulary() -> None:
    tasks = RunTasks(runs.VOCABULARY)
    begin = tasks.begin()
    sample_vocabulary = tasks.stage("sample_vocabulary")
    train_vocabulary = tasks.stage("train_vocabulary", pool=TRAINING)

    chain(begin, sample_vocabulary, train_vocabulary, tasks.finish(VOCABULARY))


vocabulary()
