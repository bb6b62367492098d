"""Which process wrote a file, and whether that process has certainly ended: for leases and scratch folders."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

SAME_START_S = 2.0  # two readings of one process's start time differ by less


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, told from a later one with the same number by its start time."""

    host: str
    machine: str  # boot and pid namespace: numbers of processes mean something inside it only
    pid: int
    started: float

    def is_of_this_machine(self) -> bool:
        return self.machine == _machine()

    def has_ended(self) -> bool:
        """True if the process ran on this machine and is gone.  False where that cannot be known."""
        if not self.is_of_this_machine():
            return False
        try:
            found = psutil.Process(self.pid)
            other = abs(found.create_time() - self.started) > SAME_START_S
            return bool(other or found.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ProcessIdentity | None:
        """None where the text is no such record (e.g. cut by a full disk)."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def this_process() -> ProcessIdentity:
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _machine(), pid, psutil.Process(pid).create_time())


@cache
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    parts = (
        socket.gethostname(),
        boot.read_text().strip() if boot.exists() else "",
        os.readlink(namespace) if namespace.is_symlink() else "",
    )
    return " ".join(parts)
