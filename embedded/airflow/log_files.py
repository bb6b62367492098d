"""Logs of components and tasks: the line that says why a component ended, and a bound on what they take."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

COMPONENT_LOG_BYTES = 4 << 20  # then it becomes NAME.log.1, and the one before goes
TASK_LOG_BYTES = 200 << 20
TASK_LOG_DAYS = 30
UNTOUCHED_S = 86_400  # younger run folders stay, whatever they take

ERROR = re.compile(r"^\s*(?:[\w.]*(?:Error|Exception|Exit)\b\s*:?|ERROR\b|error:)|\[(?:error|critical)\s*\]|Errno \d+")
# What Airflow writes around a message: time and level before, logger, place and fields after.
DECORATION = re.compile(r"^\d{4}-\S+ (?:\S+ )?\[\w+\s*\]\s*|\s*\[[\w.]+\](?: \w+=.*)?$")
ADVICE = (
    ("Database migration required", "remove database.json beside it and start it again"),
    ("No space left", "free some disk space"),
    ("database is locked", "stop whatever else uses that database"),
    ("file is not a database", "move airflow.db away"),
    ("malformed", "move airflow.db away"),
    ("Can't locate revision", "a newer Airflow made the database: move airflow.db away"),
    ("ModuleNotFoundError", "set the environment up again: make install"),
    ("No module named", "set the environment up again: make install"),
    ("Permission denied", "make that file yours"),
    ("Cannot allocate memory", "free some memory"),
)
NO_ADVICE = "start it again, and read the log if that fails"


def reason(text: str) -> str:
    """Why the process of a log ended: the last error in it."""
    errors = [line.strip() for line in text.splitlines() if ERROR.search(line)]
    found = errors[-1] if errors else "its log tells no error, so it was probably killed"
    return re.sub(r"\s+", " ", DECORATION.sub("", found))[:300]


def advice(text: str) -> str:
    return next((what for sign, what in ADVICE if sign in text), NO_ADVICE)


def said_since(path: Path, offset: int) -> str:
    """What was written to a log after `offset`; all of it if it was cut meanwhile.  At most the last 64 KiB."""
    if not path.exists():
        return ""
    size = path.stat().st_size
    with path.open("rb") as log:
        log.seek(max(offset if offset <= size else 0, size - (64 << 10)))
        return log.read().decode(errors="replace")


def bound(home: Path, now: float) -> None:
    """Cut component logs that are too long; remove logs of tasks that are old or too many."""
    for log in [*home.glob("*.log"), *(home / "logs" / "dag_processor").rglob("*.log")]:
        with contextlib.suppress(OSError):
            if log.stat().st_size > COMPONENT_LOG_BYTES:
                _rotate(log)
    _remove_old(home / "logs", now)


def _rotate(log: Path) -> None:
    """Copy and cut: the component goes on writing to the same file, at its end."""
    shutil.copyfile(log, log.with_name(log.name + ".1"))
    os.truncate(log, 0)


def _remove_old(logs: Path, now: float) -> None:
    folders = [*logs.glob("dag_id=*/run_id=*"), *logs.glob("dag_processor/*-*-*")]
    newest_first = sorted(((_touched(folder), folder) for folder in folders), reverse=True)
    total = 0
    for touched, folder in newest_first:
        total += size(folder)
        too_old = now - touched > TASK_LOG_DAYS * 86_400
        if now - touched > UNTOUCHED_S and (too_old or total > TASK_LOG_BYTES):
            shutil.rmtree(folder, ignore_errors=True)


def _touched(folder: Path) -> float:
    times = [0.0]
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size if path.is_file() else 0
    return total
