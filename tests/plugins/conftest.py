"""Airflow is imported here with a home of its own, not the user's."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="xlmr-airflow-"))
