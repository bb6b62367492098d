"""xlmr_reevaluate and xlmr_milestones beside what every DAG is tested for: schedules, and what a failed run says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recorded_models import FIRST_DAY, Skill, write_checkpoint, write_scores
from pipeline.announcements import announce, new_milestones
from pipeline.current import set_current
from pipeline.store import FileStore
from pipeline.verdicts import judge
from tests.dags.test_dags import parsed  # noqa: F401  # a fixture

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
TELL = """
import logging
from datetime import datetime
from types import SimpleNamespace
logging.basicConfig()
from dags.reevaluation import tell
began = datetime.fromisoformat({at!r})
tell({{"dag_run": SimpleNamespace(dag_id="xlmr_reevaluate", run_id="weekly", start_date=began)}})
"""


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def test_one_runs_by_the_clock_one_when_it_is_called_and_both_wake_others(parsed: dict[str, Any]) -> None:  # noqa: F811
    found = {name: parsed["dags"][name] for name in ("xlmr_reevaluate", "xlmr_milestones")}
    assert [dag["schedule"] for dag in found.values()] == ["CronTriggerTimetable", "NullTimetable"]
    assert {name: dag["outlets"] for name, dag in found.items()} == {
        "xlmr_reevaluate": ["xlmr_scores"], "xlmr_milestones": ["xlmr_checkpoint"],
    }  # fmt: skip
    assert set(found["xlmr_reevaluate"]["upstream"]["compare"]) == {"begin", "evaluate", "ingest", "list_units"}


def test_the_message_about_a_run_names_the_test_sets_that_are_worse(store: FileStore, tmp_path: Path) -> None:
    shares = {"en": 0.9, "sw": 0.9}
    write_scores(store, write_checkpoint(store, "base"), Skill("xnli", shares, 400))
    worse = write_checkpoint(store, "base", quality=1.2)
    present = write_scores(store, worse, Skill("xnli", shares | {"sw": 0.4}, 400), FIRST_DAY + timedelta(days=7))
    verdict = judge(store, "base", worse, present, significance=0.01, margin=0.0)
    (tmp_path / "deployment.json").write_text(json.dumps({"store": store.root}))
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
                 "XLMR_DEPLOYMENT": str(tmp_path / "deployment.json")}  # fmt: skip
    before = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    command = [sys.executable, "-c", TELL.format(at=before)]
    said = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    assert f"xlmr_reevaluate weekly failed: {verdict.told()}" in said.stderr + said.stdout


def test_a_milestone_is_announced_once_and_again_when_it_was_made_anew(store: FileStore) -> None:
    set_current(store, "checkpoint", "base", "export/base/00/manifest.json")
    set_current(store, "checkpoint", "base@40", "export/base@40/01/manifest.json")
    found = new_milestones(store)
    assert found == {"base@40": "export/base@40/01/manifest.json"}
    announce(store, found)
    assert new_milestones(store) == {}
    set_current(store, "checkpoint", "base@40", "export/base@40/02/manifest.json")
    assert list(new_milestones(store)) == ["base@40"]
