"""Settings and secrets of the Airflow of one home, as environment variables of its components.

The settings are those that keep SQLite from locking up: a long busy timeout, two tasks at a time, retries.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from embedded.airflow.processes import DATABASE, MARK
from pipeline.deployment_file import VARIABLE

ADMIN, VIEWER = "admin", "viewer"  # names, and roles of SimpleAuthManager
PASSWORDS = "passwords.json"
# Every poll of a page, every parse and every task is a line at INFO; what a task says is in its own log already.
QUIET = (
    "http.access=WARNING", "airflow.serialization=WARNING", "airflow.models=WARNING", "airflow.dag_processing=WARNING",
    "airflow.executors=WARNING", "airflow.jobs.scheduler_job_runner.SchedulerJobRunner=WARNING", "task=WARNING",
    "supervisor=WARNING", "airflow.api_fastapi.execution_api=WARNING", "httpx=WARNING", "alembic=WARNING",
)  # fmt: skip


class Secrets(BaseModel):
    """Made once for this home, kept in a file that only its owner reads."""

    fernet_key: str
    jwt_secret: str
    password: str  # of the admin
    viewer_password: str = ""

    @classmethod
    def of(cls, home: Path) -> Secrets:
        path = home / "secrets.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        made = {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt_secret": secrets.token_urlsafe(64),
            "password": secrets.token_urlsafe(12),
            "viewer_password": secrets.token_urlsafe(12),
        }
        found = cls(**{**made, **known})
        if known != found.model_dump():
            write_private(path, found.model_dump_json())
        return found

    def write_passwords(self, home: Path) -> None:
        write_private(home / PASSWORDS, json.dumps({ADMIN: self.password, VIEWER: self.viewer_password}))


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    aside.rename(path)


def environment(home: Path, dags: Path, port: int, known: Secrets, deployment: Path) -> dict[str, str]:
    """What every component, and every task below it, has in its environment."""
    root = dags.parent
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "2",
        "AIRFLOW__CORE__MAX_MAP_LENGTH": "4096",  # slices of a run over several dumps
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": known.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{VIEWER}:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE}?timeout=60",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": known.jwt_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": known.jwt_secret,
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "1800",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",  # tasks of a killed scheduler start again soon
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",  # a changed file is read at once all the same
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": " ".join(QUIET),
        VARIABLE: str(deployment),
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        MARK: str(home),
        "SPT_NOENV": "1",  # setproctitle leaves the environment readable, and so the mark
    }
    return {**os.environ, **settings}
