"""Airflow on this machine: SQLite, LocalExecutor, loopback, generated secrets; start, trigger, follow, stop.

The settings are those that keep SQLite from locking up: a long busy timeout, two tasks at a time, retries.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.child import die_with_parent

log = logging.getLogger(__name__)

USER = "admin"
FIRST_PORT = 8080
COMPONENTS = ("api-server", "dag-processor", "scheduler")
READY_TIMEOUT_S = 240.0
DONE_STATES = ("success", "failed")


class AirflowError(RuntimeError):
    """Airflow did not start, or refused a call: one line and where its log lies."""


@dataclass(frozen=True)
class Secrets:
    """Made once for this checkout, kept in a file that only its owner reads."""

    password: str
    fernet_key: str
    jwt_secret: str
    port: int

    @classmethod
    def of(cls, home: Path) -> Secrets:
        path = home / "secrets.json"
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            made = cls(
                password=secrets.token_urlsafe(12),
                fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                jwt_secret=secrets.token_urlsafe(64),
                port=_free_port(),
            )
            aside = path.with_suffix(".new")
            aside.touch(mode=0o600)
            aside.write_text(json.dumps(made.__dict__))
            aside.rename(path)
        return cls(**json.loads(path.read_text()))


class EmbeddedAirflow:
    """The three processes of one checkout's Airflow, by pid file."""

    def __init__(self, home: Path, dags: Path, defaults: Mapping[str, Any]) -> None:
        self.home = home.resolve()
        self.dags = dags.resolve()
        self.secrets = Secrets.of(self.home)
        self.url = f"http://127.0.0.1:{self.secrets.port}"
        self.defaults = dict(defaults)
        self._token = ""

    def start(self, *, die_with_us: bool) -> None:
        """Start what is not running and wait until it answers.  Raises AirflowError."""
        if self.running():
            self._wait_ready()
            return
        self._migrate()
        (self.home / "passwords.json").write_text(json.dumps({USER: self.secrets.password}))
        (self.home / "passwords.json").chmod(0o600)
        pids = {component: self._spawn(component, die_with_us) for component in COMPONENTS}
        (self.home / "pids.json").write_text(json.dumps(pids))
        self._wait_ready()

    def stop(self) -> bool:
        """Stop what was started here.  False if nothing was running."""
        pids = self._pids()
        for pid in pids.values():
            os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while self._pids() and time.monotonic() < deadline:
            _reap()
            time.sleep(0.2)
        for pid in self._pids().values():
            os.killpg(pid, signal.SIGKILL)
        _reap()
        (self.home / "pids.json").unlink(missing_ok=True)
        return bool(pids)

    def running(self) -> bool:
        return len(self._pids()) == len(COMPONENTS)

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run and return its id.  Older runs that a kill left unfinished are closed first."""
        runs = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        for run in runs:
            if run["state"] not in DONE_STATES:
                path = f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
                self.call("PATCH", path, {"state": "failed"})
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        body = {"logical_date": None, "conf": dict(conf)}
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def failures(self, dag_id: str, run_id: str) -> list[str]:
        """One line for each failed task: its name and the last error of its log."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        failed = self.call("GET", f"{path}?state=failed&limit=20")["task_instances"]
        return [f"{one['task_id']} {one.get('rendered_map_index') or ''}: {self._error(path, one)}" for one in failed]

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of Airflow's REST API.  Raises AirflowError."""
        if not self._token:
            self._token = self._log_in()
        return self._request(method, path, body, {"Authorization": f"Bearer {self._token}"})

    def _log_in(self) -> str:
        answer = self._request("POST", "/auth/token", {"username": USER, "password": self.secrets.password}, {})
        return str(answer["access_token"])

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {**headers, "Content-Type": "application/json"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: never through a proxy
        try:
            with opener.open(request, timeout=60) as reply:
                answer: dict[str, Any] = json.loads(reply.read() or b"{}")
                return answer
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise AirflowError(f"{method} {path}: Airflow answers {error.code}: {said}") from error
        except OSError as error:
            raise AirflowError(f"{method} {path}: no answer from {self.url} ({error}); logs: {self.home}") from error

    def _error(self, path: str, failed: Mapping[str, Any]) -> str:
        log_path = f"{path}/{failed['task_id']}/logs/{failed['try_number']}?map_index={failed['map_index']}"
        lines = self.call("GET", log_path).get("content", [])
        details = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
        if details:
            return str(details[-1][0].get("exc_value", "failed"))
        events = [str(line.get("event", "")) for line in lines if isinstance(line, dict)]
        return events[-1] if events else f"no log; see {self.home / 'logs'}"

    def _migrate(self) -> None:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        said = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if said.returncode:
            raise AirflowError(f"airflow db migrate ended with {said.returncode}: {said.stderr.strip()[-500:]}")

    def _spawn(self, component: str, die_with_us: bool) -> int:
        command = [sys.executable, "-m", "airflow", component]
        if component == "api-server":
            command += ["--workers", "1"]
        with (self.home / f"{component}.log").open("ab") as out:
            process = subprocess.Popen(
                command, env=self.environment(), cwd=self.home, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=die_with_parent if die_with_us else None,
            )  # fmt: skip
        return process.pid

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            _reap()
            dead = set(COMPONENTS) - set(self._pids())
            if dead:
                raise AirflowError(f"Airflow's {', '.join(sorted(dead))} ended: see {self.home}/{min(dead)}.log")
            try:
                found = {dag["dag_id"] for dag in self.call("GET", "/api/v2/dags")["dags"]}
                if "xlmr_end_to_end" in found:
                    return
            except AirflowError:
                self._token = ""
            if time.monotonic() > deadline:
                raise AirflowError(f"Airflow was not ready after {READY_TIMEOUT_S:.0f} s: see the logs in {self.home}")
            time.sleep(0.5)

    def _pids(self) -> dict[str, int]:
        """component -> pid of those that live."""
        path = self.home / "pids.json"
        known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return {component: pid for component, pid in known.items() if _is_ours(pid)}

    def environment(self) -> dict[str, str]:
        root = self.dags.parent
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "2",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": self.secrets.fernet_key,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.secrets.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self.secrets.jwt_secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secrets.jwt_secret,
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "1800",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "XLMR_SETTINGS": json.dumps(self.defaults),
            "PYTHONPATH": str(root),
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        return {**os.environ, **settings}


def _free_port() -> int:
    """8080 if it is free, else one that is."""
    for port in (FIRST_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AirflowError("no free port on 127.0.0.1")


def _is_ours(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"airflow" in command


def _reap() -> None:
    """Collect children that ended, so that they are not taken for living."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
