"""Rows of scores in a store, made by the stage itself on a small model and set."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from evaluation.compare import compare
from pipeline.draft import Draft
from pipeline.errors import BadConfig
from pipeline.result_store import left_out, newest, read_results, record_results, with_contributions
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages import load
from pipeline.store import FileStore


def copied(source: Path) -> Stage:
    """A stage that publishes the files of a folder, in place of one that trains."""

    def body(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        for path in source.iterdir():
            shutil.copyfile(path, draft.path(path.name))

    return Stage(name="export", version=1, config=StageConfig, body=body)


def pretrained(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
    draft.add({"updates": 12, "tokens": 6144, "parameters": 1000})


def sst2(data: Path, folder: Path) -> Path:
    """The first rows of the embedded set."""
    found = next(path for path in data.rglob("train.tsv") if "SST" in str(path))
    for name in ("train.tsv", "dev.tsv"):
        lines = (found.parent / name).read_text().splitlines(keepends=True)
        target = folder / "SST-2" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(lines[:40]))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, model: Path, data: Path) -> FileStore:
    """Two seeds of SST-2, with the embedded sets and an untrained model."""
    store = FileStore(tmp_path_factory.mktemp("results") / "store")
    pretrain = Stage("pretrain", 1, StageConfig, pretrained).run({}, [], store, "tiny")
    checkpoint = copied(model).run({}, [pretrain], store, "tiny")
    benchmarks = load("ingest").run(
        {"source": str(sst2(data, tmp_path_factory.mktemp("data")))}, [], store, "benchmarks"
    )
    for seed in (1, 2):
        config = {"benchmark": "sst2", "seed": seed}
        load("evaluate").run(config, [checkpoint, benchmarks], store, f"sst2/seed-{seed}")
    return store


def test_a_row_says_what_was_scored_and_how(store: FileStore) -> None:
    found = read_results(store, benchmark="sst2", seed=1)
    assert [each.row.metric for each in found] == ["accuracy"]
    row, origin = found[0].row, found[0].origin
    manifest = store.manifest(origin.lineage)
    stored = json.loads(store.get(manifest.artifact("results.json").key))
    assert row.value == stored[0]["value"]
    assert row.checkpoint == stored[0]["checkpoint"]
    assert (origin.checkpoint_name, origin.checkpoint_step, origin.trained_tokens) == ("tiny", 12, 6144)
    assert (origin.model_family, origin.parameters) == ("xlm-roberta", 1000)
    assert (origin.seconds, origin.written_at, origin.hardware) == (
        manifest.seconds, manifest.written_at, manifest.hardware)  # fmt: skip
    assert origin.hardware
    assert len(store.get(origin.predictions).splitlines()) == row.examples


def test_a_unit_recorded_again_gives_the_same_file(store: FileStore) -> None:
    places = list(store.list("results/"))
    before = [store.get(place) for place in places]
    assert len(places) == 2
    for place in places:
        store.delete(place)
    for each in {key for key in store.list("evaluate/") if key.endswith("manifest.json")}:
        record_results(store, each)
        record_results(store, each)
    assert [store.get(place) for place in store.list("results/")] == before


def test_a_finished_unit_is_recorded_when_its_stage_runs_again(store: FileStore) -> None:
    place = next(iter(store.list("results/")))
    before = store.get(place)
    store.delete(place)
    manifest = next(m for key in store.list("evaluate/") if key.endswith("manifest.json")
                    for m in [store.manifest(key)] if m.fingerprint in place)  # fmt: skip
    load("evaluate").run(manifest.config, manifest.inputs, store, manifest.unit)
    assert store.get(place) == before


def test_rows_are_filtered_by_any_field(store: FileStore) -> None:
    assert len(read_results(store)) == 2
    assert {each.row.seed for each in read_results(store, seed=[2, 3])} == {2}
    assert len(read_results(store, headline=True, dev={"dev", "held out from train"}, baseline=[None, 50.0])) == 2
    assert read_results(store, headline=False) == []
    assert read_results(store, language="sw") == []
    with pytest.raises(BadConfig, match="no field lang"):
        read_results(store, lang="sw")


def test_the_newest_row_of_a_seed_is_taken(store: FileStore) -> None:
    found = read_results(store)
    assert newest([*found, *found]) == found


def test_a_row_of_an_earlier_version_is_read(store: FileStore) -> None:
    place = next(iter(store.list("results/")))
    table = parquet.read_table(store.local(place))
    older = store.local(place).parent / "part-older.parquet"
    parquet.write_table(table.drop_columns(["hardware", "layers"]), older)
    try:
        assert {each.origin.hardware for each in read_results(store)} >= {""}
    finally:
        older.unlink()


def test_stored_rows_are_compared(store: FileStore) -> None:
    rows = with_contributions(store, read_results(store))
    assert [row.verdict for row in compare(rows, rows).differences] == ["within noise"]


def test_scores_of_other_settings_are_not_mixed_into_one_mean(store: FileStore) -> None:
    first, second = read_results(store)
    changed = replace(second, row=replace(second.row, config="other"))
    assert newest([first, changed]) == [changed]


def test_what_no_mean_takes_is_told_with_what_differs(store: FileStore) -> None:
    first, second = read_results(store)
    assert left_out([first, second]) == []
    small = replace(first, row=replace(first.row, config="other"), origin=replace(first.origin, finetuning="small"))
    assert left_out([small, first, second]) == ["tiny sst2 transfer seed 1 (other fine-tuning settings, preset small)"]
    other = [replace(each, row=replace(each.row, code="other", data="other")) for each in (first, second)]
    assert left_out([*other, first]) == ["tiny sst2 transfer seeds 1, 2 (other data; other code)"]
    assert left_out([*other, first, second]) == []  # both were scored again
    trained = replace(first, row=replace(first.row, checkpoint="earlier weights"))
    assert left_out([trained, second]) == []


def test_a_runs_report_has_no_mean_over_different_code(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(shutil.copytree(store.folder, tmp_path / "store"))
    keys = sorted(key for key in store.list("evaluate/") if key.endswith("manifest.json"))
    again = store.manifest(keys[0])
    for module in ("code_digest", "finetune"):
        monkeypatch.setattr(f"evaluation.{module}.code_digest", lambda benchmark: "0123456789abcdef")
    config = {**again.config, "code": "0123456789abcdef"}
    later = store.key(load("evaluate").run(config, again.inputs, store, again.unit))
    checkpoint = next(key for key in again.inputs if key.startswith("export/"))
    made = store.key(load("report").run({}, [keys[1], later, checkpoint], store, "tiny"))
    report = json.loads(store.get(store.manifest(made).artifact("report.json").key))
    assert [(each["lineage"], each["code"]) for each in report["benchmarks"]] == [(later, "0123456789abcdef")]
    assert re.search(r"Not shown, as they were made otherwise: sst2 transfer seed \d \(other code\)", report["scale"])


def test_the_newest_scores_of_two_checkpoints_are_compared_by_name(store: FileStore) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "compare", "tiny", "tiny", "--store", store.root, "--json"]
    said = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert [row["seeds_b"] for row in json.loads(said.stdout)["differences"]] == [2]
    command[5] = "missing"
    said = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "has no score of a checkpoint of that name" in said.stderr
