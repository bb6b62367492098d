"""The main job on one machine: make the input, run the whole flow through Airflow, show the report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from embedded.airflow.installation import FIRST_DAG, EmbeddedAirflow
from embedded.airflow.processes import title
from embedded.deployment import FILE, make_deployment, write_deployment
from embedded.following import RunFailed, run_dag
from embedded.inputs import InputChoices, make_inputs
from pipeline.cli.options import parse_pairs
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, TransientError
from pipeline.follow import Follower
from pipeline.plan import Plan
from pipeline.run_report import present
from pipeline.runs import END_TO_END
from pipeline.store import open_store

log = logging.getLogger(__name__)

DAGS = Path(__file__).resolve().parent.parent / "dags"


class StillRunning(TransientError):
    """A process that `down` could not stop."""


@dataclass(frozen=True)
class Choices(InputChoices):
    """What the command line says; empty means the default."""

    store: str = ""
    pairs: tuple[str, ...] = ()
    slices: int = 2


def run(choices: Choices, console: Console) -> None:
    """The whole of `make run`.  Raises FactoryError or AirflowError with one line."""
    started = time.monotonic()
    deployment = prepare(choices, console)
    if deployment.removals:
        raise BadConfig(
            "`make run` knows its units beforehand, with `removals` nobody does: use `make up` and the form"
        )
    settings = END_TO_END.settings.parse(deployment.defaults[END_TO_END.name])
    works = Plan(END_TO_END, settings, deployment).works()
    store = open_store(deployment.store)
    follower = Follower(works, store, console)
    standing = [work for work in works if store.exists(work.key)]
    console.print(f"store {deployment.store}; dumps {', '.join(deployment.defaults[END_TO_END.name]['dumps'])}; "
                  f"{len(works)} units of work, {len(standing)} already there", soft_wrap=True)  # fmt: skip
    with follower.bar:
        for work in standing:
            follower.done(work, True)
    if not follower.finished:
        run_dag(_airflow(choices.var, deployment, console), settings.values(), follower, console)
    folder = choices.var / "report"
    report = present(store, store.uri(works[-1].key), follower.summary(), folder)
    _show(report, folder, len(standing) == len(works), time.monotonic() - started, console)


def up(choices: Choices, console: Console) -> None:
    """Airflow runs until `down`."""
    begun = time.monotonic()
    airflow = _airflow(choices.var, prepare(choices, console), console)
    started = airflow.start(keep=True)
    took = f"started {', '.join(started)} in {time.monotonic() - begun:.0f} s" if started else "was running already"
    console.print(f"Airflow {took}: {airflow.url}   stop it: make down", soft_wrap=True)
    console.print(f"  user admin   password {airflow.secrets.password}      everything", soft_wrap=True)
    console.print(f"  user viewer  password {airflow.secrets.viewer_password}      to look only", soft_wrap=True)
    for error in airflow.client.import_errors():
        console.print(f"a file of DAGs cannot be read: {error}", soft_wrap=True, markup=False)


def down(var: Path, console: Console) -> None:
    """Raises StillRunning with what could not be stopped."""
    airflow = EmbeddedAirflow(var / "airflow", DAGS, {}, _sayer(console))
    components = airflow.living()
    ended, remaining = airflow.stop()
    if remaining:
        names = ", ".join(title(process) for process in remaining)
        raise StillRunning(f"Airflow is not stopped: {names} still run; end them (kill -9 PID) and run make down again")
    if not ended:
        console.print("Airflow was not running")
        return
    below = max(0, ended - len(components))
    console.print(f"Airflow stopped: {', '.join(components) or 'no component'}, and {below} processes below them; "
                  "unfinished runs go on at the next make up", soft_wrap=True)  # fmt: skip


def cancel(var: Path, run_id: str, console: Console) -> None:
    airflow = EmbeddedAirflow(var / "airflow", DAGS, {}, _sayer(console))
    if not airflow.running():
        raise RunFailed("Airflow is not running: start it with make up")
    airflow.client.cancel(FIRST_DAG, run_id)
    console.print(f"run {run_id} is cancelled; what it finished stays in the store", soft_wrap=True)


def _airflow(var: Path, deployment: Deployment, console: Console) -> EmbeddedAirflow:
    return EmbeddedAirflow(var / "airflow", DAGS, deployment.model_dump(mode="json"), _sayer(console))


def _sayer(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, soft_wrap=True, markup=False)


def prepare(choices: Choices, console: Console) -> Deployment:
    """The input, and the deployment over it, kept in var/deployment.json for Airflow and `xlmr`.

    Where Airflow runs, its tasks read that file: then places stay as they are, and another store is refused.
    """
    choices.var.mkdir(parents=True, exist_ok=True)
    inputs = make_inputs(choices)
    store = choices.store or (choices.var / "store").resolve().as_uri()
    slices = min(choices.slices, choices.segments) if choices.segments else choices.slices
    settings = {"slices": slices} | parse_pairs(choices.pairs, END_TO_END.settings, "--set")
    deployment = make_deployment(inputs, store, choices.var, settings)
    airflow = EmbeddedAirflow(choices.var / "airflow", DAGS, {}, _sayer(console))
    if airflow.running():
        known = Deployment.load(choices.var / FILE)
        if known.model_copy(update={"defaults": {}}) != deployment.model_copy(update={"defaults": {}}):
            raise BadConfig(
                f"Airflow runs on the store {known.store} with its inputs: run make down first, then this again"
            )
    else:
        write_deployment(deployment, choices.var / FILE)
    return deployment


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
