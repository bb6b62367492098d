"""What goes wrong with the Airflow of this machine, each told in one line."""

from __future__ import annotations


class AirflowError(RuntimeError):
    """Airflow did not start, ended, or refused a call: what, why, and what to do."""


class PortTaken(AirflowError):
    """Another program took the port between the choice and the start."""
