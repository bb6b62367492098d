"""The machine that something is measured on: by words that name no place of it; and a free port of it."""

from __future__ import annotations

import os
import platform
import socket
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def measured(*libraries: str) -> dict[str, Any]:
    """When, by which command, on what and beside how much other work: what every result states."""
    module = sys.modules["__main__"].__spec__
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python -m", module.name if module else "?", *sys.argv[1:]]),
        "machine": f"{cores()} cores, {processor()}",
        "load_average": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in libraries},
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed here"


def processor() -> str:
    information = Path("/proc/cpuinfo")
    for line in information.read_text().splitlines() if information.exists() else ():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def cores() -> int:
    return os.cpu_count() or 1


def free_port() -> int:
    """One that nobody listens on now; not Airflow's usual one, which somebody may want meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
