"""Airflow's SQLite database of one home: brought to the installed version, and told which components are gone."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from embedded.airflow import component
from embedded.airflow.environment import write_private
from embedded.airflow.errors import AirflowError
from embedded.airflow.log_files import advice, reason
from embedded.airflow.processes import DATABASE

STAMP = "database.json"  # the version and revision of the last migration: `airflow db migrate` takes seconds
BUSY_TIMEOUT_S = 60


def migrate(home: Path, environment: Mapping[str, str]) -> bool:
    """Bring the database to the installed Airflow's version.  False if it was there already.  Raises AirflowError."""
    stamp = home / STAMP
    if stamp.exists() and stamp.read_text() == _state(home):
        return False
    command = [sys.executable, "-m", component.__name__, "db", "migrate"]
    said = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    if said.returncode:
        why = reason(said.stderr or said.stdout)
        what = advice(said.stderr + said.stdout)
        raise AirflowError(f"Airflow's database {home / DATABASE} cannot be used: {why}. What to do: {what}")
    write_private(stamp, _state(home))
    return True


def close_jobs(home: Path, job_types: list[str]) -> None:
    """Tell Airflow that components of these types do not run, which it would believe for 30 more seconds after a kill:
    so the next scheduler starts the tasks of the last one again at once.  Without this it only takes longer."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(home)) as database, database:
        marks = ",".join("?" * len(job_types))
        database.execute(
            f"UPDATE job SET state = 'failed' WHERE state = 'running' AND job_type IN ({marks})", job_types
        )


def _state(home: Path) -> str:
    """Installed version and the database's revision."""
    revision = ""
    if (home / DATABASE).exists():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(home)) as database:
            revision = str(database.execute("SELECT version_num FROM alembic_version").fetchall())
    return json.dumps({"airflow": version("apache-airflow-core"), "revision": revision})


def _open(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(home / DATABASE, timeout=BUSY_TIMEOUT_S)
