"""Trains language models (SentencePiece and KenLM) and the language classifier on reference text.

They belong to languages, not to a dump: all dumps share them.  A language is trained again only when its
reference text changes.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline.deployment import DOWNLOAD
from pipeline.runs import LANGUAGE_MODELS


@dag(
    dag_id=LANGUAGE_MODELS.dag_id,
    schedule=None,
    params=form(LANGUAGE_MODELS),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def language_models() -> None:
    tasks = RunTasks(LANGUAGE_MODELS)
    begin = tasks.begin()
    ingest = tasks.stage("ingest", pool=DOWNLOAD)
    train_lid = tasks.stage("train_lid")
    train_lm = tasks.stage("train_lm")

    chain(begin, ingest, [train_lid, train_lm], tasks.finish())


language_models()
