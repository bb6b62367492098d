"""What all DAGs are made of: a run's form, its first task, a task for each stage, and its last task.

`begin` looks up what the run builds on; a stage is one task, mapped over its units, that leaves a manifest each and
returns its URI; `finish` updates the asset that starts other DAGs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

from dags.failures import explain
from dags.forms import given
from dags.installation import DEPLOYMENT
from dags.waking import wake_evaluation
from pipeline.build_on import Waiting, make_plan, named_manifests
from pipeline.deployment import PROCESSOR
from pipeline.errors import PermanentError
from pipeline.failed_seeds import check_scored
from pipeline.plan import KIND_OF, MOST_TASKS_A_DUMP, ONE_UNIT, Plan
from pipeline.runner import point_to, run_work
from pipeline.runs import CORPUS, Run, RunSettings
from pipeline.store import open_store

log = logging.getLogger(__name__)

RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}
LOOK_EVERY_S = 60.0  # while a run waits for models or dumps; it holds no worker meanwhile
WAIT_S = 60 * 24 * 3600.0
# A stage that has nothing to do is skipped, and what comes after it goes on.
RULE = {"trigger_rule": "none_failed"}
# run -> the setting that a partition key names
KEYED = {"corpus": "crawl", "vocabulary": "release", "pretrain": "vocabulary", "evaluate": "checkpoint"}


class RunTasks:
    """The tasks of one kind of run, made inside its DAG."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._begun: Any = None
        self._lists: dict[str, Any] = {}

    def wait(self) -> Any:
        """Wait for what the run builds on, where its settings say so."""
        run = self.run

        @task.sensor(
            task_id="wait", mode="reschedule", poke_interval=LOOK_EVERY_S, timeout=WAIT_S, on_failure_callback=explain
        )
        def wait() -> bool:
            try:
                told(named_manifests, run, settings_of_run(run), DEPLOYMENT, open_store(DEPLOYMENT.store))
            except Waiting as reason:
                log.info("waiting: %s", reason)
                return False
            return True

        return wait()

    def begin(self) -> Any:
        run = self.run

        @task(task_id="begin", on_failure_callback=explain, **RETRIES)
        def begin() -> list[str]:
            """The URIs of the manifests that the run builds on.  Where all that it makes is there, `finish` is next."""
            found: list[str] = told(begin_run, run)
            if told(all_made, run, found):
                skip_to_finish(found)
            return found

        self._begun = begin()
        return self._begun

    def stage(self, name: str, *, pool: str = PROCESSOR, **options: Any) -> Any:
        """One stage: a task over its units, or one task where there is but one."""
        run, kind = self.run, KIND_OF[name]

        @task(task_id=name, map_index_template="{{ task.op_kwargs.get('units', ()) | join(', ') }}", pool=pool,
              on_failure_callback=explain, **(RETRIES | RULE | options))  # fmt: skip
        def run_stage(named: list[str], units: tuple[str, ...] | list[str] = ()) -> list[str]:
            made: list[str] = told(run_units, run, name, units, named)
            return made

        if kind in ONE_UNIT or (kind == "dumps" and run is CORPUS):
            return run_stage(self._begun)
        return run_stage.partial(named=self._begun).expand(units=self._units(name))

    def _units(self, stage: str) -> Any:
        """The names of the units of each task of a stage; stages that are cut alike share the list."""
        run = self.run
        cut = f"{stage}_tasks" if stage in MOST_TASKS_A_DUMP else KIND_OF[stage]
        if cut not in self._lists:

            @task(task_id=f"list_{cut}", on_failure_callback=explain, **RETRIES)
            def list_units(named: list[str]) -> list[list[str]]:
                found: list[list[str]] = told(tasks_of_run, run, stage, named)
                return found

            self._lists[cut] = list_units(self._begun)
        return self._lists[cut]

    def finish(self, outlet: Asset | None = None) -> Any:
        run = self.run

        @task(task_id="finish", outlets=[outlet] if outlet else [], on_failure_callback=explain,
              **(RETRIES | RULE))  # fmt: skip
        def finish(named: list[str]) -> str:
            """Log what was made, and start the DAGs that wait for it."""
            return str(told(finish_run, run, named, outlet))

        return finish(self._begun)


def begin_run(run: Run) -> list[str]:
    store = open_store(DEPLOYMENT.store)
    named = named_manifests(run, settings_of_run(run), DEPLOYMENT, store)
    return [store.uri(key) for key in named]


def all_made(run: Run, named: list[str]) -> bool:
    """Whether the run has nothing to do; what it would have made becomes the current one of its name."""
    store = open_store(DEPLOYMENT.store)
    ends = plan_of_run(run, named).ends()
    if not all(store.exists(work.key) for work in ends):
        return False
    log.info("everything is already in the store: %s", store.uri(ends[-1].key))
    for work in ends:
        point_to(work, store)
    return True


def skip_to_finish(named: list[str]) -> None:
    """Skip every stage: a task costs Airflow seconds even where it has nothing to do."""
    begin: Any = get_current_context()["task_instance"]
    begin.xcom_push("return_value", named)  # an exception would return nothing
    skipped = sorted(begin.task.downstream_task_ids - {"finish"})
    raise DownstreamTasksSkipped(tasks=skipped)  # type: ignore[no-untyped-call]  # Airflow's own


def tasks_of_run(run: Run, stage: str, named: list[str]) -> list[list[str]]:
    return [list(units) for units in plan_of_run(run, named).tasks(stage)]


def run_units(run: Run, stage: str, units: Sequence[str], named: list[str]) -> list[str]:
    """One after another; those that are there already cost nothing.  The URIs of their manifests."""
    plan = plan_of_run(run, named)
    made = []
    for unit in units or plan.own_units(stage):
        made.append(run_work(plan.work(stage, unit), DEPLOYMENT.store, wake_evaluation))
        if stage == "pretrain":
            wake_evaluation(unit)  # of what an earlier attempt, or one without an answer, could not tell
    return made


def finish_run(run: Run, named: list[str], outlet: Asset | None) -> str:
    store, plan = open_store(DEPLOYMENT.store), plan_of_run(run, named)
    if "evaluate" in run.stages:
        check_scored(store, [work.key for work in plan.works("evaluate")])
    last = plan.last
    manifest = store.manifest(last.key)
    if outlet is not None:
        events = get_current_context()["outlet_events"]
        events[outlet].add_partitions([last.unit])
        events[outlet].extra = {
            "manifest": store.uri(last.key), "name": last.unit, **manifest.counts, "page": page_of(run, last.unit)
        }  # fmt: skip
    log.info("made %s", store.uri(last.key))
    return store.uri(last.key)


def page_of(run: Run, name: str) -> str:
    """Where the Corpus or the Models page shows what a run made; "" of a run that neither shows."""
    places = {
        "corpus": "corpus/dumps", "release": "corpus/releases", "pretrain": "models/checkpoints",
        "evaluate": "models/checkpoints", "reevaluate": "models/checkpoints",
    }  # fmt: skip
    # the UI shows /corpus/… in its frame at /plugin/ROUTE/corpus/…, and the pages' routes are corpus and models
    return f"/plugin/{places[run.name].split('/')[0]}/{places[run.name]}/{name}" if run.name in places else ""


def plan_of_run(run: Run, named: list[str]) -> Plan:
    return make_plan(run, settings_of_run(run), DEPLOYMENT, open_store(DEPLOYMENT.store), named)


def settings_of_run(run: Run) -> RunSettings:
    """The form's values; where an asset, the schedule or a backfill started the run, its partition key names the
    dump, release, vocabulary or checkpoint.  Raises BadConfig."""
    context = get_current_context()
    values = given(run, context["params"])
    dag_run: Any = context["dag_run"]
    setting = KEYED.get(run.name)
    if setting and dag_run.partition_key:
        _check_agreement(setting, dag_run)
        values[setting] = dag_run.partition_key
    return run.settings.parse(values)


def _check_agreement(setting: str, dag_run: Any) -> None:
    asked: Mapping[str, Any] = dag_run.conf or {}
    if dag_run.run_type == "manual" and asked.get(setting, dag_run.partition_key) != dag_run.partition_key:
        raise AirflowFailException(
            f"the form says {setting} {asked[setting]}, the partition key {dag_run.partition_key}: leave one out"
        )


def told(call: Any, *arguments: Any) -> Any:
    """A permanent error fails the task at once; any other is tried again."""
    try:
        return call(*arguments)
    except PermanentError as error:
        raise AirflowFailException(str(error)) from error
