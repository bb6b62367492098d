"""Updates the list of Common Crawl's dumps that the forms, backfills and the timetable of xlmr_corpus use."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.failures import explain, notify
from dags.installation import DEPLOYMENT
from dags.tasks import RETRIES, told
from pipeline.deployment import DOWNLOAD


@dag(
    dag_id="xlmr_crawl_registry",
    schedule=CronTriggerTimetable("0 6 * * 1", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def crawl_registry() -> None:
    @task(pool=DOWNLOAD, on_failure_callback=explain, **RETRIES)
    def update_list() -> int:
        """Into the store, and into the local copy that DAGs are parsed with."""
        from pipeline.crawl_list import update_crawl_list
        from pipeline.store import open_store

        return len(told(update_crawl_list, DEPLOYMENT, open_store(DEPLOYMENT.store)))

    update_list()


crawl_registry()
