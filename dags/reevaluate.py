"""Scores checkpoints again where something changed, and says where one is worse than before.

Scores what has no result yet, or whose data, scorer or code changed; compares each checkpoint with the last results of
its name. A regression beyond noise fails the run, and the message names its languages. The last verdict of each
checkpoint is in the store and on the Models page. To accept a regression, run it again with `accept_regressions`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task

from dags import reevaluation
from dags.assets import SCORES
from dags.failures import explain
from dags.forms import form
from dags.tasks import RETRIES, told
from pipeline.deployment import DOWNLOAD, TRAINING
from pipeline.runs import REEVALUATE


@dag(
    dag_id=REEVALUATE.dag_id,
    schedule=CronTriggerTimetable("0 4 * * 1", timezone="UTC"),
    params=form(REEVALUATE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    on_failure_callback=reevaluation.tell,
    tags=["xlmr"],
    doc_md=__doc__,
)
def reevaluate() -> None:
    @task(on_failure_callback=explain, **RETRIES)
    def begin() -> list[str]:
        """The checkpoints of this run, as manifests."""
        found: list[str] = told(reevaluation.choose)
        return found

    @task(pool=DOWNLOAD, on_failure_callback=explain, **RETRIES)
    def ingest() -> dict[str, str]:
        """The benchmark data as they are now, into the store."""
        found: dict[str, str] = told(reevaluation.bring_data)
        return found

    @task(on_failure_callback=explain, **RETRIES)
    def list_units(checkpoints: list[str], digests: dict[str, str]) -> list[dict[str, Any]]:
        """What must be scored; why is in the log."""
        found: list[dict[str, Any]] = told(reevaluation.units_to_score, checkpoints, digests)
        return found

    @task(pool=TRAINING, map_index_template="{{ task.op_kwargs['unit'] }}", on_failure_callback=explain, **RETRIES)
    def evaluate(unit: str, config: dict[str, Any], inputs: list[str]) -> str:
        return str(told(reevaluation.score, unit, config, inputs))

    @task(outlets=[SCORES], trigger_rule="none_failed", on_failure_callback=explain, **RETRIES)
    def compare(checkpoints: list[str], digests: dict[str, str], units: list[dict[str, Any]]) -> list[str]:
        """The verdict on each checkpoint."""
        said: list[str] = told(reevaluation.compare, checkpoints, digests, [unit["unit"] for unit in units])
        return said

    checkpoints: Any = begin()
    digests: Any = ingest()
    units: Any = list_units(checkpoints, digests)
    chain(evaluate.expand_kwargs(units), compare(checkpoints, digests, units))


reevaluate()
