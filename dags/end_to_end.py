"""Everything in one run: language models, corpus, release, vocabulary, pretraining, evaluation."""

from __future__ import annotations

from airflow.sdk import chain, dag

from dags.assets import SCORES
from dags.failures import notify
from dags.forms import form
from dags.tasks import RunTasks
from pipeline.deployment import DOWNLOAD, TRAINING
from pipeline.runs import CORPUS, END_TO_END, EVALUATE, PRETRAIN, RELEASE, VOCABULARY

POOLS = {
    "fetch": DOWNLOAD,
    "fetch_robots": DOWNLOAD,
    "train_vocabulary": TRAINING,
    "pretrain": TRAINING,
    "evaluate": TRAINING,
}


@dag(
    dag_id=END_TO_END.dag_id,
    schedule=None,
    params=form(END_TO_END),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def end_to_end() -> None:
    tasks = RunTasks(END_TO_END)
    begin = tasks.begin()
    ingest = tasks.stage("ingest", pool=DOWNLOAD)
    models = [tasks.stage("train_lid"), tasks.stage("train_lm")]
    names = [name for run in (CORPUS, RELEASE, VOCABULARY, PRETRAIN, EVALUATE) for name in run.stages]
    stages = [
        tasks.stage(name, **({"pool": POOLS[name]} if name in POOLS else {})) for name in names if name != "ingest"
    ]

    chain(begin, ingest, models)
    chain(begin, *stages, tasks.finish(SCORES))
    chain(models, stages[names.index("identify") - 1])


end_to_end()
