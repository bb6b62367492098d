"""The main job on one machine: make the input, start Airflow, trigger the walk, follow it, show the report."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from embedded.airflow import USER, EmbeddedAirflow
from embedded.inputs import InputChoices, make_inputs
from pipeline.cli import parse_pairs
from pipeline.errors import PermanentError, TransientError
from pipeline.flow import plan
from pipeline.follow import Follower
from pipeline.run_report import present
from pipeline.settings import RunSettings
from pipeline.store import open_store

log = logging.getLogger(__name__)

DAG_ID = "xlmr_end_to_end"
DAGS = Path(__file__).resolve().parent.parent / "dags"
POLL_S = 1.0


class RunFailed(PermanentError):
    """A task failed for good."""


class RunStopped(TransientError):
    """Airflow or a task stopped in a way that may pass."""


@dataclass(frozen=True)
class Choices(InputChoices):
    """What the command line says; empty means the default."""

    store: str = ""
    pairs: tuple[str, ...] = ()
    slices: int = 2


def run(choices: Choices, console: Console) -> None:
    """The whole of `make run`.  Raises FactoryError or AirflowError with one line."""
    started = time.monotonic()
    settings = prepare(choices)
    works = plan(settings)
    store = open_store(settings.store)
    follower = Follower(works, store, console)
    standing = [work for work in works if store.exists(work.key)]
    console.print(f"store {settings.store}; crawls {', '.join(settings.crawls)}; {len(works)} units of work, "
                  f"{len(standing)} already there", soft_wrap=True)  # fmt: skip
    with follower.bar:
        for work in standing:
            follower.done(work, True)
    if not follower.finished:
        _walk(choices, settings, follower, console)
    folder = choices.var / "report"
    report = present(store, store.uri(works[-1].key), follower.summary(), folder)
    _show(report, folder, len(standing) == len(works), time.monotonic() - started, console)


def up(choices: Choices, console: Console) -> None:
    settings = prepare(choices)
    airflow = EmbeddedAirflow(choices.var / "airflow", DAGS, settings.model_dump(mode="json"))
    airflow.start(die_with_us=False)
    console.print(f"Airflow: {airflow.url}   user {USER}   password {airflow.secrets.password}   stop it: make down",
                  soft_wrap=True)  # fmt: skip


def down(var: Path, console: Console) -> None:
    stopped = EmbeddedAirflow(var / "airflow", DAGS, {}).stop()
    console.print("Airflow stopped" if stopped else "Airflow was not running")


def prepare(choices: Choices) -> RunSettings:
    """The input, and the settings of a run over it; kept in var/settings.json for `xlmr`."""
    choices.var.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = make_inputs(choices)
    values["store"] = choices.store or (choices.var / "store").resolve().as_uri()
    values["slices"] = min(choices.slices, choices.segments) if choices.segments else choices.slices
    values |= parse_pairs(choices.pairs)
    settings = RunSettings.parse(values)
    text = json.dumps(settings.model_dump(mode="json"), indent=1, sort_keys=True)
    (choices.var / "settings.json").write_text(text + "\n", encoding="utf-8")
    return settings


def _walk(choices: Choices, settings: RunSettings, follower: Follower, console: Console) -> None:
    """Trigger the DAG and follow it to its end; stop Airflow afterwards unless it was up before."""
    airflow = EmbeddedAirflow(choices.var / "airflow", DAGS, settings.model_dump(mode="json"))
    was_up = airflow.running()
    begun = time.monotonic()
    try:
        airflow.start(die_with_us=True)
        console.print(f"Airflow ready after {time.monotonic() - begun:.0f} s: {airflow.url}  user {USER}  "
                      f"password {airflow.secrets.password}", soft_wrap=True)  # fmt: skip
        run_id = airflow.trigger(DAG_ID, settings.model_dump(mode="json"))
        _follow(airflow, run_id, follower)
    finally:
        if not was_up:
            airflow.stop()


def _follow(airflow: EmbeddedAirflow, run_id: str, follower: Follower) -> None:
    with follower.bar:
        while (state := airflow.state(DAG_ID, run_id)) not in ("success", "failed"):
            follower.poll()
            time.sleep(POLL_S)
        follower.poll()
    if state == "failed":
        failures = airflow.failures(DAG_ID, run_id)
        raise RunFailed("the run failed: " + ("; ".join(failures) or f"see {airflow.url}"))
    if not follower.finished:
        raise RunStopped("Airflow says success but manifests are missing: run it again")


def _show(report: dict[str, Any], folder: Path, all_there: bool, seconds: float, console: Console) -> None:
    from evaluation.report import as_text

    console.print()
    console.print(as_text(report), highlight=False, markup=False, soft_wrap=True)
    if all_there:
        console.print("every stage was already there")
    console.print(f"finished in {seconds:.0f} s")
    console.print(
        f"report:  {(folder / 'report.html').resolve()}\n         {(folder / 'report.json').resolve()}",
        soft_wrap=True,
    )
    console.print("look at the runs in Airflow: make up      (stop it: make down)")
    console.print("from a score back to its crawl files: .venv/bin/xlmr trace " + str(report["report"]), soft_wrap=True)
