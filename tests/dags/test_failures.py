"""What is said of a failed run: to a webhook, by an Airflow connection."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
NOTIFY = """
from types import SimpleNamespace
from dags.failures import notify
notify({"dag_run": SimpleNamespace(dag_id="xlmr_corpus", run_id="backfill__CC-MAIN-2019-35__1"), "reason": "timed_out"})
"""


class Webhook(http.server.BaseHTTPRequestHandler):
    met: list[dict[str, Any]] = []  # noqa: RUF012  # one server a test

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.met.append({"path": self.path, "authorization": self.headers["Authorization"], **body})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_a_failed_run_is_told_to_the_connection_that_the_deployment_names(tmp_path: Path) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "deployment.json").write_text(json.dumps({"alerts": "xlmr_alerts"}))
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_address[1], "password": "token",
                  "extra": {"path": "/hook"}}  # fmt: skip
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1",
                 "XLMR_DEPLOYMENT": str(tmp_path / "deployment.json"),
                 "AIRFLOW_CONN_XLMR_ALERTS": json.dumps(connection)}  # fmt: skip
    command = [sys.executable, "-c", NOTIFY]
    said = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    server.shutdown()
    assert said.returncode == 0, said.stderr[-2000:]
    text = "xlmr_corpus backfill__CC-MAIN-2019-35__1 failed: timed_out"
    assert Webhook.met == [{"path": "/hook", "authorization": "Bearer token", "text": text}]
