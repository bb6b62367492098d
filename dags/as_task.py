"""A flow of pipeline/flow.py as Airflow tasks: one task a stage, mapped over its units; URIs are what they return.

A task finds its work in the plan of the run's settings.  Those come from the trigger form; where an asset woke the
DAG, from the run that updated it; defaults of the form from the deployment (XLMR_SETTINGS, JSON).
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from pipeline.errors import PermanentError
from pipeline.flow import FLOWS, STEPS, UNITS, Over, Work, plan
from pipeline.runner import run_work
from pipeline.settings import RunSettings

SHARDS = Asset(name="xlmr_crawl_shards", uri="xlmr://crawl_shards")
VOCABULARY = Asset(name="xlmr_vocabulary", uri="xlmr://vocabulary")
CHECKPOINT = Asset(name="xlmr_checkpoint", uri="xlmr://checkpoint")
REPORT = Asset(name="xlmr_report", uri="xlmr://report")

DEPLOYMENT: dict[str, Any] = json.loads(os.environ.get("XLMR_SETTINGS", "{}"))
MAPPED: tuple[Over, ...] = ("slices", "crawls", "ranges", "languages", "benchmarks", "inputs")
RETRIES: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True}


def form() -> dict[str, Param]:
    """The trigger form: every field of RunSettings with its bounds and description."""
    fields = RunSettings.model_json_schema()["properties"]
    return {name: _param(name, schema) for name, schema in fields.items()}


def _param(name: str, schema: dict[str, Any]) -> Param:
    known = {key: value for key, value in schema.items() if key not in ("default", "prefixItems")}
    empty: Any = [] if schema.get("type") == "array" else ""
    default = DEPLOYMENT.get(name, schema.get("default", empty))
    if default in ([], ""):  # must be given in the form; checked when the run starts
        known.pop("minItems", None)
    return Param(list(default) if isinstance(default, tuple) else default, **known)


def settings_of_run() -> RunSettings:
    """The settings of this DAG run.  Raises AirflowFailException with one line for all faults."""
    context = get_current_context()
    values = dict(context["params"])
    for events in (context.get("triggering_asset_events") or {}).values():
        values = json.loads(events[-1].extra["settings"])
    try:
        return RunSettings.parse(values)
    except PermanentError as error:
        raise AirflowFailException(str(error)) from error


def find_work(stage: str, unit: str) -> Work:
    return next(work for work in plan(settings_of_run()) if (work.stage, work.unit) == (stage, unit))


def run_unit(stage: str, unit: str) -> str:
    """Run one unit in this task.  A permanent error is not tried again."""
    get_current_context()["unit"] = unit  # type: ignore[typeddict-unknown-key]  # names the mapped task in the grid
    try:
        return run_work(find_work(stage, unit), settings_of_run().store)
    except PermanentError as error:
        raise AirflowFailException(f"{stage} {unit}: {error}") from error


def flow_tasks(flow: str, outlet: Asset) -> None:
    """Wire the tasks of a flow inside a DAG; when all is there, `outlet` is updated once."""
    steps = [step for step in STEPS if step.stage in FLOWS[flow]]
    units = {over: _units_task(over) for over in MAPPED if any(step.over == over for step in steps)}
    tasks: dict[str, Any] = {}
    for step in steps:
        tasks[step.stage] = _stage_task(step.stage, step.over, units)
        for earlier in step.after:
            if earlier in tasks:
                tasks[earlier] >> tasks[step.stage]
    tasks[steps[-1].stage] >> _announcement(outlet)


def _units_task(over: Over) -> Any:
    @task(task_id=f"list_{over}")
    def list_units() -> list[str]:
        return list(UNITS[over](settings_of_run()))

    return list_units()


def _stage_task(stage: str, over: Over, units: dict[Over, Any]) -> Any:
    @task(task_id=stage, map_index_template="{{ unit }}", **RETRIES)
    def run_stage(unit: str | None = None) -> str:
        return run_unit(stage, unit or UNITS[over](settings_of_run())[0])

    return run_stage.expand(unit=units[over]) if over in units else run_stage()


def _announcement(outlet: Asset) -> Any:
    @task(task_id="announce", outlets=[outlet])
    def announce() -> None:
        """Wake the DAGs that wait for this asset; they take over the settings of this run."""
        extra: dict[str, Any] = {"settings": settings_of_run().model_dump_json()}
        get_current_context()["outlet_events"][outlet].extra = extra

    return announce()
