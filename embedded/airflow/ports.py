"""The port of Airflow's pages on the loopback address, chosen at each start."""

from __future__ import annotations

import socket

from embedded.airflow.errors import AirflowError

FIRST_PORT = 8080


def choose_port(last: int) -> int:
    """The one of the last start if it is free, else 8080, else a free one."""
    for port in (last or FIRST_PORT, FIRST_PORT, 0):
        if found := _bound(port):
            return found
    raise AirflowError("no port is free on 127.0.0.1: end some program that listens")


def is_free(port: int) -> bool:
    return bool(_bound(port))


def _bound(port: int) -> int:
    """The port if one can listen there, 0 if not; 0 asks for any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended do not count
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return 0
        return int(probe.getsockname()[1])
