"""Starts xlmr_evaluate for each new milestone (setting milestone_steps of xlmr_pretrain) while training goes on.

Nobody needs to start it: the training does, for each milestone. Started by its form, it looks at the store once, for
example for milestones of `xlmr pretrain`. To evaluate finished checkpoints alone, pause it.
"""

from __future__ import annotations

import logging

from airflow.sdk import dag, get_current_context, task

from dags.assets import CHECKPOINT
from dags.failures import explain, notify
from dags.installation import DEPLOYMENT
from dags.tasks import RETRIES, told
from dags.waking import DAG_ID

log = logging.getLogger(__name__)


@dag(
    dag_id=DAG_ID,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
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
