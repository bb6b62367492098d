"""Two hosts as network namespaces on a bridge in a third one, which no interface of the machine is part of (root)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH, HOSTS = "xlmr-sw", ("xlmr-a", "xlmr-b")
SERVER = "10.99.0.1"  # the switch's own address, for a server that both hosts reach
ADDRESSES = {"xlmr-a": "10.99.0.2", "xlmr-b": "10.99.0.3"}


def can_make() -> bool:
    """Whether this user may make network namespaces here."""
    try:
        made = subprocess.run(["ip", "netns", "add", "xlmr-probe"], capture_output=True, check=False).returncode == 0
        if made:
            ip("netns", "del", "xlmr-probe")
    except (OSError, subprocess.CalledProcessError):
        return False
    return made


@contextmanager
def hosts() -> Iterator[None]:
    """Make the namespaces; on leaving, end all that runs in them and remove them."""
    ip("netns", "add", SWITCH)
    try:
        ip("-n", SWITCH, "link", "add", "br0", "type", "bridge")
        ip("-n", SWITCH, "addr", "add", f"{SERVER}/24", "dev", "br0")
        for device in ("br0", "lo"):
            ip("-n", SWITCH, "link", "set", device, "up")
        for host in HOSTS:
            _add(host)
        yield
    finally:
        for name in (*HOSTS, SWITCH):
            kill_all(name)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _add(host: str) -> None:
    ip("netns", "add", host)
    ip("link", "add", f"{host}-e", "type", "veth", "peer", "name", f"{host}-s")
    ip("link", "set", f"{host}-e", "netns", host)
    ip("link", "set", f"{host}-s", "netns", SWITCH)
    ip("-n", host, "link", "set", f"{host}-e", "name", "eth0")
    ip("-n", SWITCH, "link", "set", f"{host}-s", "master", "br0")
    ip("-n", SWITCH, "link", "set", f"{host}-s", "up")
    ip("-n", host, "addr", "add", f"{ADDRESSES[host]}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        ip("-n", host, "link", "set", device, "up")


def set_link(host: str, state: str) -> None:
    """`up`, or `down`: packets of the host are lost, no connection is closed."""
    ip("-n", SWITCH, "link", "set", f"{host}-s", state)


def processes(name: str) -> list[int]:
    said = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
    return [int(pid) for pid in said.stdout.split()]


def kill_all(name: str) -> None:
    for pid in processes(name):
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def inside(name: str, command: list[str]) -> list[str]:
    return ["ip", "netns", "exec", name, *command]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
