"""Starts xlmr_evaluate for each new milestone of a training that goes on (setting milestone_steps of xlmr_pretrain).

A task can only start other DAGs when it ends, and training ends late: so this looks at the store every ten minutes.
"""

from __future__ import annotations

import logging

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from dags.assets import CHECKPOINT
from dags.failures import explain, notify
from dags.installation import DEPLOYMENT
from dags.tasks import RETRIES, told

log = logging.getLogger(__name__)


@dag(
    dag_id="xlmr_milestones",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def milestones() -> None:
    @task.short_circuit(on_failure_callback=explain, **RETRIES)
    def find() -> dict[str, str]:
        """The milestones that are new, with their manifests."""
        from pipeline.announcements import new_milestones
        from pipeline.store import open_store

        found: dict[str, str] = told(new_milestones, open_store(DEPLOYMENT.store))
        return found

    @task(outlets=[CHECKPOINT], on_failure_callback=explain, **RETRIES)
    def tell(found: dict[str, str]) -> None:
        from pipeline.announcements import announce
        from pipeline.store import open_store

        get_current_context()["outlet_events"][CHECKPOINT].add_partitions(sorted(found))
        log.info("new milestones: %s", ", ".join(sorted(found)))
        told(announce, open_store(DEPLOYMENT.store), found)

    tell(find())  # type: ignore[arg-type]  # what find() returns, when it runs


milestones()
