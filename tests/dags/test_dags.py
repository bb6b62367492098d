"""Every shipped DAG: it parses fast and without heavy libraries, and its form is the settings' own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
PARSE = """
import sys, time, importlib, json
sys.path.insert(0, {root!r})
import airflow.sdk, pydantic
seconds = {{}}
for name in ("corpus", "release", "pretrain", "evaluate", "end_to_end"):
    begun = time.perf_counter()
    importlib.import_module("dags." + name)
    seconds[name] = time.perf_counter() - begun
heavy = {{"torch", "fasttext", "kenlm", "pyarrow", "sentencepiece", "transformers", "matplotlib"}} & set(sys.modules)
from dags import end_to_end, corpus, release
dag = end_to_end.end_to_end()
print(json.dumps({{"seconds": seconds, "heavy": sorted(heavy), "tasks": sorted(dag.task_ids),
    "params": sorted(dag.params), "languages": dag.params.get_param("languages").schema,
    "after_identify": sorted(dag.get_task("choose_cut_offs").upstream_task_ids),
    "corpus_outlets": [a.name for a in corpus.corpus().get_task("announce").outlets]}}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    import json

    home = tmp_path_factory.mktemp("airflow")
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", PARSE.format(root=str(ROOT))]
    said = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    result: dict[str, object] = json.loads(said.stdout.strip().splitlines()[-1])
    return result


def test_each_dag_parses_in_under_a_second(parsed: dict[str, dict[str, float]]) -> None:
    assert max(parsed["seconds"].values()) < 1.0


def test_parsing_loads_no_heavy_library(parsed: dict[str, list[str]]) -> None:
    assert parsed["heavy"] == []


def test_the_end_to_end_dag_has_every_stage(parsed: dict[str, list[str]]) -> None:
    from pipeline.stages import NAMES

    assert set(NAMES) <= set(parsed["tasks"])


def test_the_form_has_every_setting_with_its_bounds(parsed: dict[str, dict[str, object]]) -> None:
    from pipeline.settings import RunSettings

    assert parsed["params"] == sorted(RunSettings.model_fields)
    assert parsed["languages"]["type"] == "array"


def test_cut_offs_wait_for_languages_and_models(parsed: dict[str, list[str]]) -> None:
    assert {"identify", "train_lm"} <= set(parsed["after_identify"])


def test_the_corpus_wakes_the_release(parsed: dict[str, list[str]]) -> None:
    assert parsed["corpus_outlets"] == ["xlmr_crawl_shards"]
