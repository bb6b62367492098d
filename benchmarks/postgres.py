"""PostgreSQL by hand for measurements: a data folder of its own, on loopback, gone when the measurement ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import free_port

READY_TIMEOUT_S = 60.0
USER = "airflow"


def find_programs() -> Path:
    """The folder of `initdb` and `postgres`; Debian keeps it out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    if not (found or beside):
        sys.exit("no initdb found: install PostgreSQL (Debian: apt-get install postgresql)")
    return Path(beside).parent if beside else found[-1].parent


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server and give its SQLAlchemy URL; stop it in the end.  It refuses root, so root starts it as postgres.

    Anybody on this machine may log in: it is for measurements alone.
    """
    programs, port = find_programs(), free_port()
    as_user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    folder.mkdir(parents=True)
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    with (folder / "initdb.log").open("wb") as log:
        command = [
            f"{programs}/initdb",
            "--auth=trust",
            f"--username={USER}",
            "--encoding=UTF8",
            "-D",
            f"{folder}/data",
        ]
        subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True, **as_user)
    command = [f"{programs}/postgres", "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    with (folder / "postgres.log").open("wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **as_user)
    try:
        url = f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres"
        _wait(url, server, folder)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def query(url: str, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    import psycopg2

    with psycopg2.connect(url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _wait(url: str, server: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg2

    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            query(url, "SELECT 1")
            return
        except psycopg2.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: see {folder}/postgres.log") from error
        time.sleep(0.2)
