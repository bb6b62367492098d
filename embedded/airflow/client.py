"""Airflow's REST API, as the runs of this project need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from embedded.airflow.environment import ADMIN
from embedded.airflow.errors import AirflowError

DONE_STATES = ("success", "failed")
TIMEOUT_S = 60.0
POOL_SLOTS = 2  # of each pool on one machine


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG, as the API tells it."""

    dag_id: str
    run_id: str
    state: str
    conf: Mapping[str, Any]


class Client:
    """Logged in as the admin of one home."""

    def __init__(self, url: str, password: str, home: Path) -> None:
        self.url = url
        self._password = password
        self._home = home
        self._token = ""
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)  # loopback: never through a proxy

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call as the admin.  Raises AirflowError."""
        if not self._token:
            login = {"username": ADMIN, "password": self._password}
            self._token = str(self._request("POST", "/auth/token", login, {})["access_token"])
        try:
            return self._request(method, path, body, {"Authorization": f"Bearer {self._token}"})
        except AirflowError:
            self._token = ""  # it lasts a day; the next call logs in again
            raise

    def health(self) -> dict[str, str]:
        """component -> state, for those that report one."""
        answer = self.call("GET", "/api/v2/monitor/health")
        return {name: str(told["status"]) for name, told in answer.items() if told}

    def dags(self) -> dict[str, str]:
        """DAG id -> when its file was last read."""
        answer = self.call("GET", "/api/v2/dags?limit=100")
        return {dag["dag_id"]: str(dag.get("last_parsed_time") or "") for dag in answer["dags"]}

    def import_errors(self) -> list[str]:
        """One line for each file in the DAGs' folder that cannot be read."""
        answer = self.call("GET", "/api/v2/importErrors?limit=20")
        return [f"{one['filename']}: {_last_line(one['stack_trace'])}" for one in answer["import_errors"]]

    def set_pools(self, pools: Mapping[str, str]) -> None:
        """Make the pools (name -> what for) that are not there yet."""
        known = {pool["name"] for pool in self.call("GET", "/api/v2/pools?limit=100")["pools"]}
        for name, what in pools.items():
            if name not in known:
                body = {"name": name, "slots": POOL_SLOTS, "description": what, "include_deferred": False}
                self.call("POST", "/api/v2/pools", body)

    def active_runs(self, dag_id: str) -> list[DagRun]:
        """Runs that run or wait, the oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns?state=running&state=queued&order_by=id&limit=100"
        runs = [_dag_run(told) for told in self.call("GET", path)["dag_runs"]]
        return sorted(runs, key=lambda run: run.state != "running")

    def run(self, dag_id: str, run_id: str) -> DagRun:
        return _dag_run(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> DagRun:
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        body = {"logical_date": None, "conf": dict(conf)}
        return _dag_run(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body))

    def cancel(self, dag_id: str, run_id: str) -> None:
        """Its tasks are stopped; what they finished stays in the store."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    def failures(self, dag_id: str, run_id: str) -> list[str]:
        """One line for each failed task: its name and the last error of its log."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        failed = self.call("GET", f"{path}?state=failed&limit=20")["task_instances"]
        return [f"{one['task_id']} {one.get('rendered_map_index') or ''}: {self._error(path, one)}" for one in failed]

    def page(self, dag_id: str, run_id: str) -> str:
        """Where a person sees a run."""
        return f"{self.url}/dags/{dag_id}/runs/{run_id}"

    def _error(self, path: str, failed: Mapping[str, Any]) -> str:
        log_path = f"{path}/{failed['task_id']}/logs/{failed['try_number']}?map_index={failed['map_index']}"
        lines = self.call("GET", log_path).get("content", [])
        details = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
        if details:
            return str(details[-1][0].get("exc_value", "failed"))
        events = [str(line.get("event", "")) for line in lines if isinstance(line, dict)]
        told = [event for event in events if not event.startswith("::")]  # marks of folded parts
        return f"ended without an error, last {told[-1]!r}" if told else f"no log; see {self._home / 'logs'}"

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        try:
            reply = self._http.request(method, path, json=body, headers=dict(headers))
        except httpx.HTTPError as error:
            raise AirflowError(f"{method} {path}: no answer from {self.url} ({error}); logs: {self._home}") from error
        if reply.is_error:
            raise AirflowError(f"{method} {path}: Airflow answers {reply.status_code}: {_detail(reply)}")
        answer: dict[str, Any] = reply.json() if reply.content else {}
        return answer


def _dag_run(told: Mapping[str, Any]) -> DagRun:
    return DagRun(told["dag_id"], told["dag_run_id"], told["state"], told.get("conf") or {})


def _detail(reply: httpx.Response) -> str:
    """What the answer says is wrong, in one line."""
    try:
        detail = reply.json().get("detail")
    except (json.JSONDecodeError, AttributeError):
        detail = None
    return " ".join(str(detail or reply.text).split())[:500]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()
