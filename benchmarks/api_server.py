"""Airflow's API server with this checkout's plugins, on loopback, with two users, for tests and measurements."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
USERS = ("admin", "viewer")  # each with the role of that name
READY_TIMEOUT_S = 180.0
CORPUS_DAG = """
from airflow.sdk import Param, dag, task

@dag(dag_id="xlmr_corpus", schedule=None, params={"crawl": Param("", type=["null", "string"])})
def corpus():
    @task
    def announce(): ...
    announce()

corpus()
"""


@dataclass(frozen=True)
class ApiServer:
    """A running one: its address, and the password of all users."""

    url: str
    password: str

    def token(self, user: str) -> str:
        return str(self.call("/auth/token", {"username": user, "password": self.password})["access_token"])

    def call(self, path: str, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
        """POST where there is a body, else GET."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: never through a proxy
        with opener.open(urllib.request.Request(self.url + path, data, headers), timeout=60) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
            return answer


@contextmanager
def api_server(home: Path, store: str, *, dags: bool = False) -> Iterator[ApiServer]:
    """Start it, wait until it answers, and stop it in the end.  `dags`: a corpus DAG is there, to make runs of."""
    server = ApiServer(f"http://127.0.0.1:{_free_port()}", secrets.token_urlsafe(12))
    environment = _environment(home, server, store)
    (home / "dags").mkdir(parents=True)
    (home / "deployment.json").write_text(json.dumps({"store": store}))
    (home / "passwords.json").write_text(json.dumps(dict.fromkeys(USERS, server.password)))
    commands = [["db", "migrate"]]
    if dags:
        (home / "dags" / "corpus.py").write_text(CORPUS_DAG)
        commands.append(["dags", "reserialize"])
    airflow = [sys.executable, "-m", "airflow"]
    with (home / "airflow.log").open("ab") as log:
        for command in commands:
            subprocess.run([*airflow, *command], env=environment, cwd=home, stdout=log, stderr=log, check=True)
        process = subprocess.Popen(
            [*airflow, "api-server", "--workers", "1"], env=environment, cwd=home, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait(server, process, home)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _environment(home: Path, server: ApiServer, store: str) -> dict[str, str]:
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{user}" for user in USERS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{server.url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": server.url.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": server.url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(64),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "XLMR_DEPLOYMENT": str(home / "deployment.json"),
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    return {**os.environ, **settings}


def _wait(server: ApiServer, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            server.call("/api/v2/version")
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API server did not start: see {home}/airflow.log") from error
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
