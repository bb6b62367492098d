"""Scores as documents of Every Eval Ever: what they say, their names, and their schema where it is there."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from benchmarks.recorded_models import FIRST_DAY, Skill, write_checkpoint, write_manifest, write_scores
from evaluation.benchmarks import BENCHMARKS
from pipeline.cli import xlmr
from pipeline.every_eval_ever import F1_OF, SCALES
from pipeline.result_store import read_results
from pipeline.store import FileStore

SCHEMA = "XLMR_EVERY_EVAL_EVER_SCHEMA"  # names the file eval.schema.json
HUB = "hf://FacebookAI/xlm-roberta-base@" + "0123456789" * 4
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.json"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """A checkpoint of ours, one of the hub and one from a folder, with scores."""
    store = FileStore(tmp_path / "store")
    ours = write_checkpoint(store, "cc100-base@200")
    write_scores(store, ours, Skill("xnli", {"en": 0.8, "sw": 0.6}))
    write_scores(store, ours, Skill("stsb", {"en": 0.9}, seeds=(1,)), value=-12.5)
    for name, source in (("FacebookAI/xlm-roberta-base", HUB), ("my model", "file:///home/me/my%20model")):
        files = {"config.json": b'{"model_type": "xlm-roberta"}'}
        key = write_manifest(store, "ingest", f"checkpoint/{name}", files, config={"source": source})
        write_scores(store, key, Skill("mlqa", {"es-de": 0.7}, seeds=(1,)))
    return store


def export(store: FileStore, folder: Path, *more: str) -> list[Path]:
    command = ["export-results", "--store", store.root, "--to", str(folder), "--organization", "My Lab", *more]
    found = CliRunner().invoke(xlmr, command, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return [Path(line) for line in found.output.splitlines()]


def read(paths: list[Path]) -> dict[str, Any]:
    """Documents by benchmark and model."""
    found = [json.loads(path.read_text()) for path in paths]
    return {each["evaluation_id"].rpartition("@")[0]: each for each in found}


def schema() -> dict[str, Any] | None:
    if path := os.environ.get(SCHEMA):
        found: dict[str, Any] = json.loads(Path(path).read_text())
        return found
    try:
        from every_eval_ever.schema import schema_json  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    return dict(schema_json("eval.schema.json"))


def check_required(found: dict[str, Any]) -> None:
    """What the documentation of version 0.3.0 asks for."""
    assert found["schema_version"] == "0.3.0"
    assert found["evaluation_id"]
    assert re.fullmatch(r"\d+", found["retrieved_timestamp"])
    assert found["source_metadata"]["source_type"] == "evaluation_run"
    assert found["source_metadata"]["source_organization_name"]
    assert found["source_metadata"]["evaluator_relationship"] in ("first_party", "third_party", "other")
    assert found["eval_library"]["name"]
    assert found["eval_library"]["version"]
    details = found["model_info"]["additional_details"]
    assert found["model_info"]["name"]
    assert found["model_info"]["id"].count("/") == 1
    assert details["deployment_type"] == "self_deployed"
    assert details["model_availability"] in ("open_weights", "unknown")
    assert found["evaluation_results"]
    for each in found["evaluation_results"]:
        metric, source = each["metric_config"], each["source_data"]
        assert each["evaluation_name"]
        assert (source["source_type"], len(source["url"])) == ("url", 1)
        assert source["url"][0].startswith("https://")
        assert (metric["lower_is_better"], metric["score_type"]) == (False, "continuous")
        assert metric["min_score"] <= each["score_details"]["score"] <= metric["max_score"]
    assert all(isinstance(text, str) for details in free_form(found) for text in details.values())


def free_form(found: Any) -> list[dict[str, Any]]:
    """The objects that may only hold texts."""
    if isinstance(found, list):
        return [each for value in found for each in free_form(value)]
    if not isinstance(found, dict):
        return []
    own = [found[name] for name in ("additional_details", "details") if name in found]
    return own + [each for value in found.values() for each in free_form(value)]


def test_documents_have_the_schema_and_its_folders(store: FileStore, tmp_path: Path) -> None:
    paths = export(store, tmp_path / "out")
    assert [path.parent.relative_to(tmp_path / "out").as_posix() for path in paths] == [
        "data/mlqa/FacebookAI/xlm-roberta-base",
        "data/stsb/My-Lab/cc100-base@200",
        "data/xnli/My-Lab/cc100-base@200",
        "data/mlqa/unknown/my-model",
    ]
    assert all(re.fullmatch(UUID4, path.name) for path in paths)
    published = schema()
    for found in read(paths).values():
        check_required(found)
        if published is not None:
            Draft7Validator(published).validate(found)


def test_every_row_is_a_result_and_seeds_have_a_mean(store: FileStore, tmp_path: Path) -> None:
    found = read(export(store, tmp_path))["xnli/My-Lab/cc100-base@200"]["evaluation_results"]
    by_id = {each["evaluation_result_id"]: each for each in found}
    ends = ("seed-1", "seed-2", "seed-3", "mean")
    assert list(by_id) == [
        f"xnli/transfer/joint/{language}/accuracy/{end}" for language in ("en", "sw") for end in ends
    ]
    values = {}
    for row in (each.row for each in read_results(store, benchmark="xnli", language="sw")):
        one = by_id[f"xnli/transfer/joint/sw/accuracy/seed-{row.seed}"]
        assert float(one["score_details"]["details"]["value_percent"]) == row.value
        assert one["generation_config"]["additional_details"]["seed"] == str(row.seed)
        assert "uncertainty" not in one["score_details"]
        values[row.seed] = one["score_details"]["score"]
        assert values[row.seed] == pytest.approx(row.value / 100)
    mean = by_id["xnli/transfer/joint/sw/accuracy/mean"]
    center = sum(values.values()) / 3
    deviation = (sum((value - center) ** 2 for value in values.values()) / 2) ** 0.5
    uncertainty = mean["score_details"]["uncertainty"]
    assert deviation > 0
    assert mean["score_details"]["score"] == pytest.approx(center)
    assert uncertainty["standard_deviation"] == pytest.approx(deviation)
    assert uncertainty["standard_error"]["value"] == pytest.approx(deviation / 3**0.5)
    assert uncertainty["num_samples"] == 3
    shared = mean["generation_config"]["additional_details"]
    assert (shared["setting"], shared["finetuning"]) == ("transfer", "paper")
    assert "seed" not in shared


def test_who_made_a_model_is_only_said_where_it_is_known(store: FileStore, tmp_path: Path) -> None:
    found = read(export(store, tmp_path))
    told = {key: (each["source_metadata"]["evaluator_relationship"], each["model_info"]["developer"],
                  each["model_info"]["additional_details"]["model_availability"],
                  each["model_info"]["additional_details"].get("source")) for key, each in found.items()}  # fmt: skip
    assert told["xnli/My-Lab/cc100-base@200"] == ("first_party", "My Lab", "unknown", None)
    assert told["mlqa/FacebookAI/xlm-roberta-base"] == ("third_party", "FacebookAI", "open_weights", HUB)
    assert told["mlqa/unknown/my-model"] == ("other", "unknown", "unknown", None)  # and no path of this machine
    theirs = read(export(store, tmp_path / "theirs", "--organization", "facebookai"))
    assert theirs["mlqa/FacebookAI/xlm-roberta-base"]["source_metadata"]["evaluator_relationship"] == "first_party"


def test_a_correlation_may_be_negative(store: FileStore, tmp_path: Path) -> None:
    (one,) = read(export(store, tmp_path, "--benchmark", "stsb"))["stsb/My-Lab/cc100-base@200"]["evaluation_results"]
    assert (one["metric_config"]["min_score"], one["score_details"]["score"]) == (-1.0, -0.125)


def test_the_same_scores_give_the_same_files_and_new_ones_replace_them(store: FileStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = {path: path.read_bytes() for path in export(store, out)}
    theirs = out / "data/xnli/My-Lab/cc100-base@200/of-another-tool.json"
    theirs.write_text('{"eval_library": {"name": "another"}}')
    assert {path: path.read_bytes() for path in export(store, out)} == first
    key = next(each.origin.checkpoint_key for each in read_results(store, benchmark="xnli"))
    write_scores(store, key, Skill("xnli", {"en": 0.8, "sw": 0.6}, seeds=(4,)), FIRST_DAY)
    second = export(store, out, "--checkpoint", "cc100-base@200")
    (gone,) = set(first) - set(out.rglob("*.json"))
    (new,) = set(second) - set(first)
    assert gone.parent == new.parent == theirs.parent
    assert sorted(theirs.parent.iterdir()) == sorted([theirs, new])
    assert len(json.loads(new.read_text())["evaluation_results"]) == 10


def test_every_metric_of_every_benchmark_has_a_scale() -> None:
    assert {metric.name for each in BENCHMARKS.values() for metric in each.metrics} == set(SCALES)
    assert {each.task for each in BENCHMARKS.values() if "f1" in {metric.name for metric in each.metrics}} == set(F1_OF)


@pytest.mark.parametrize("name", [" ", "…", ".."])
def test_an_organization_without_a_name_is_refused(store: FileStore, tmp_path: Path, name: str) -> None:
    command = ["export-results", "--store", store.root, "--to", str(tmp_path / "out"), "--organization", name]
    found = CliRunner().invoke(xlmr, command)
    assert "wanted a name with letters or digits" in str(found.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "folder"), [("data", "data_"), ("AUX", "AUX_"), ("a:b?", "a-b"), ("database", "database")]
)
def test_folders_have_names_that_every_file_system_takes(tmp_path: Path, name: str, folder: str) -> None:
    store = FileStore(tmp_path / "store")
    write_scores(store, write_checkpoint(store, "tiny"), Skill("sst2", {"en": 0.9}, seeds=(1,)))
    (path,) = export(store, tmp_path / "out", "--organization", name)
    assert path.parent.parent.name == folder
