"""The embedded Airflow over the small written crawl, asked by REST and by its command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console

from embedded.airflow.environment import environment
from embedded.airflow.installation import EmbeddedAirflow
from embedded.airflow.state import State
from embedded.deployment import FILE, write_deployment
from embedded.run import DAGS, Choices, prepare
from pipeline.deployment import Deployment
from pipeline.store import FileStore

DUMPS = ("CC-MAIN-2026-30", "CC-MAIN-2026-34")  # of the small written crawl
LANGUAGES = ["de", "en", "sw"]
# As small as a training run can be that still saves, goes on and is scored.
QUICK = ("steps=12", "vocabulary_size=600", "checkpoint_steps=4", "block_tokens=32", "batch_blocks=16",
         "warmup_steps=4", "processes=1", "benchmarks=ner,sst2")  # fmt: skip
ENDED = ("success", "failed")
LOOK_EVERY_S = 0.5
QUICKLY_S = 120.0  # a run that finds all that it makes there
SLOWLY_S = 300.0  # a run with work, on a machine that others use too
LOG_LINES = 12  # of a red task, in the message of a test that failed


@dataclass(frozen=True)
class Factory:
    """One installation, running."""

    var: Path
    airflow: EmbeddedAirflow
    deployment: Deployment

    @property
    def url(self) -> str:
        return self.airflow.url

    @property
    def store(self) -> FileStore:
        return FileStore(self.var / "store")

    def token(self, user: str) -> str:
        known = self.airflow.secrets
        password = {"admin": known.password, "viewer": known.viewer_password}[user]
        return str(self.ask("POST", "/auth/token", {"username": user, "password": password}).json()["access_token"])

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "", timeout_s: float = 60
    ) -> httpx.Response:
        """Any answer, refusals too."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False) as http:
            return http.request(method, path, json=body, headers=headers)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As the admin.  Raises AirflowError with what a refusal says."""
        return self.airflow.client.call(method, path, body)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The oldest first."""
        found: list[dict[str, Any]] = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=id&limit=100")[
            "dag_runs"
        ]
        return found

    def run_ids(self, dag_id: str) -> set[str]:
        return {run["dag_run_id"] for run in self.runs(dag_id)}

    def new_runs(self, dag_id: str, known: set[str], count: int = 1, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """The runs that are not among the known ones, as soon as there are `count` of them."""

        def found() -> list[dict[str, Any]]:
            return [run for run in self.runs(dag_id) if run["dag_run_id"] not in known]

        wait_for(lambda: len(found()) >= count, timeout_s, f"{count} new runs of {dag_id}")
        return found()

    def wait_for_backfills(self, dag_id: str) -> None:
        """Until none is under way: Airflow takes one at a time, and calls it ended some time after its runs."""

        def ended() -> bool:
            found = self.call("GET", f"/api/v2/backfills?dag_id={dag_id}")["backfills"]
            return all(backfill["completed_at"] for backfill in found)

        wait_for(ended, 120.0, f"the end of the backfills of {dag_id}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any], partition_key: str | None = None) -> str:
        body = {"logical_date": None, "conf": dict(conf), "partition_key": partition_key}
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", _run_path(dag_id, run_id))["state"])

    def wait_until_green(self, dag_id: str, run_id: str, timeout_s: float = SLOWLY_S) -> float:
        """How long the run took, s.  Fails with its red tasks and what their logs say last."""
        wait_for(
            lambda: self.state(dag_id, run_id) in ENDED, timeout_s, f"the end of {dag_id} {run_id}",
            lambda: self.told_of(dag_id, run_id),
        )  # fmt: skip
        run = self.call("GET", _run_path(dag_id, run_id))
        assert run["state"] == "success", self.told_of(dag_id, run_id)
        return float(run["duration"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit=1000")[
            "task_instances"
        ]
        return found

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str:
        return str(next(task["state"] for task in self.tasks(dag_id, run_id) if task["task_id"] == task_id))

    def log(self, dag_id: str, run_id: str, task_id: str, *, number: int = 1, map_index: int = -1) -> list[str]:
        """The lines of one attempt."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task_id}/logs/{number}?map_index={map_index}"
        lines = self.call("GET", path).get("content", [])
        return [str(line["event"] if isinstance(line, dict) else line) for line in lines]

    def told_of(self, dag_id: str, run_id: str) -> str:
        """State of a run's tasks, and the last lines of those that failed."""
        tasks = self.tasks(dag_id, run_id)
        states = ", ".join(f"{task['task_id']} {task['state']}" for task in tasks)
        red = [task for task in tasks if task["state"] in ("failed", "up_for_retry")]
        said = []
        for task in red[:3]:
            number, index = int(task["try_number"]), int(task["map_index"])
            lines = self.log(dag_id, run_id, task["task_id"], number=number, map_index=index)[-LOG_LINES:]
            said.append(f"--- {task['task_id']} {task.get('rendered_map_index') or ''}\n" + "\n".join(lines))
        return f"{dag_id} {run_id}: {states}\n" + "\n".join(said)

    def manifests(self) -> set[str]:
        """Everything that was ever finished."""
        return {key for key in self.store.list("") if key.endswith("/manifest.json")}

    def command(self, *arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Airflow's command line, in the environment of this installation."""
        home = self.airflow.home
        variables = environment(home, DAGS, State.read(home).port, self.airflow.secrets, home.parent / FILE)
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], env=variables, cwd=home, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip


def start(var: Path) -> Factory:
    """A new installation in this folder: quick settings, an empty store, no release files."""
    deployment = prepare(Choices(var=var, small=True, languages=",".join(LANGUAGES), pairs=QUICK), Console(quiet=True))
    specs = var / "releases"
    specs.mkdir()
    deployment = deployment.model_copy(update={"release_specs": str(specs)})
    write_deployment(deployment, var / FILE)
    airflow = EmbeddedAirflow(var / "airflow", DAGS, deployment.model_dump(mode="json"))
    airflow.start(keep=True)
    return Factory(var, airflow, deployment)


def write_release_file(factory: Factory, name: str, **more: Any) -> None:
    spec = {"release": name, "dumps": list(DUMPS), "languages": LANGUAGES, **more}
    (Path(factory.deployment.release_specs) / f"{name}.json").write_text(json.dumps(spec), encoding="utf-8")


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str, told: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}\n{told()}")
        time.sleep(LOOK_EVERY_S)


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
