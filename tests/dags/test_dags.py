"""Every shipped DAG: it parses fast, loads no heavy library, its tasks follow what stages read, its form is valid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import stages
from pipeline.runs import RUNS

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
PARSE = """
import sys, time, json
sys.path.insert(0, {root!r})
import airflow.sdk, pydantic
from pathlib import Path
seconds, dags, errors = {{}}, {{}}, []
from airflow.dag_processing.dagbag import DagBag
for path in sorted(Path({root!r}, "dags").glob("*.py")):
    begun = time.process_time()
    bag = DagBag(str(path))
    seconds[path.stem] = time.process_time() - begun
    errors += [f"{{path}}: {{text[-500:]}}" for text in bag.import_errors.values()]
    dags |= bag.dags
heavy = {{"torch", "fasttext", "kenlm", "pyarrow", "sentencepiece", "transformers", "matplotlib", "boto3"}}
found = {{}}
for name, dag in dags.items():
    found[name] = {{
        "params": {{key: dict(dag.params.get_param(key).schema, default=dag.params[key]) for key in dag.params}},
        "upstream": {{task.task_id: sorted(task.get_flat_relative_ids(upstream=True)) for task in dag.tasks}},
        "retries": {{task.task_id: task.retries for task in dag.tasks}},
        "pools": sorted({{task.pool for task in dag.tasks}}),
        "outlets": [asset.name for task in dag.tasks for asset in task.outlets],
        "schedule": type(dag.timetable).__name__,
    }}
print(json.dumps({{"seconds": seconds, "heavy": sorted(heavy & set(sys.modules)), "errors": errors, "dags": found}}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    variables = {name: value for name, value in os.environ.items() if name != "XLMR_DEPLOYMENT"}
    variables |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                  "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"), "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [sys.executable, "-c", PARSE.format(root=str(ROOT))]
    said = subprocess.run(command, env=variables, cwd=home, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    result: dict[str, Any] = json.loads(said.stdout.strip().splitlines()[-1])
    return result


def test_every_file_parses_in_under_a_second_without_heavy_libraries(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == []
    assert parsed["heavy"] == []
    assert max(parsed["seconds"].values()) < 1.0


def test_every_run_has_a_dag(parsed: dict[str, Any]) -> None:
    assert {run.dag_id for run in RUNS.values()} <= set(parsed["dags"])


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_stage_comes_after_all_that_it_reads(parsed: dict[str, Any], name: str) -> None:
    run = RUNS[name]
    upstream = parsed["dags"][run.dag_id]["upstream"]
    assert set(run.stages) <= set(upstream)
    for stage in run.stages:
        assert set(stages.load(stage).needs) & set(run.stages) <= set(upstream[stage]), stage


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_form_asks_for_the_settings_of_its_run_alone_and_shows_few_of_them(parsed: dict[str, Any], name: str) -> None:
    run = RUNS[name]
    params = parsed["dags"][run.dag_id]["params"]
    assert set(params) - {"spec"} == set(run.settings.model_fields)
    chosen = [field for fields in run.form.values() for field in fields]
    assert 3 <= len(chosen) <= 12
    assert {field for field in params if params[field].get("section") != "More settings"} - {"spec"} == set(chosen)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_no_field_of_a_form_makes_the_button_dead(parsed: dict[str, Any], name: str) -> None:
    """Airflow's form takes an empty text for a missing one, unless the field may be null."""
    for field, schema in parsed["dags"][RUNS[name].dag_id]["params"].items():
        if schema["default"] in ("", None):
            assert "null" in schema["type"], field


def test_no_text_of_a_form_is_free(parsed: dict[str, Any]) -> None:
    for name, dag in parsed["dags"].items():
        for field, schema in dag["params"].items():
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            if "string" in kinds:
                assert "enum" in schema or "pattern" in schema, f"{name} {field}"


def test_places_are_no_settings_of_a_run(parsed: dict[str, Any]) -> None:
    from pipeline.deployment import Deployment

    for dag in parsed["dags"].values():
        assert not set(dag["params"]) & (set(Deployment.model_fields) - {"language_models"})


def test_each_run_wakes_the_next(parsed: dict[str, Any]) -> None:
    outlets = {name: dag["outlets"] for name, dag in parsed["dags"].items()}
    assert (outlets["xlmr_corpus"], outlets["xlmr_release"]) == (["xlmr_dump"], ["xlmr_release"])
    woken = ("xlmr_release_ready", "xlmr_vocabulary", "xlmr_pretrain", "xlmr_evaluate")
    assert {parsed["dags"][name]["schedule"] for name in woken} == {"PartitionedAssetTimetable"}
    assert parsed["dags"]["xlmr_corpus"]["schedule"] == "CrawlTimetable"


def test_every_task_is_tried_again_and_runs_in_a_pool_of_ours(parsed: dict[str, Any]) -> None:
    for dag_id in (run.dag_id for run in RUNS.values()):
        dag = parsed["dags"][dag_id]
        stage_tasks = {task for task in dag["retries"] if task in stages.NAMES}
        assert {dag["retries"][task] for task in stage_tasks} == {3}
        assert set(dag["pools"]) <= {"default_pool", "xlmr_download", "xlmr_processor", "xlmr_training"}
