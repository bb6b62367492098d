"""The machine that something is measured on: by words that name no place of it; and a free port of it."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path


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
