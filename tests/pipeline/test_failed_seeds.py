"""Seeds that failed to train are counted wherever scores are shown."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.recorded_models import FIRST_DAY, Skill, write_checkpoint, write_failure, write_scores
from pipeline.cli import xlmr
from pipeline.errors import EmptyOutput
from pipeline.failed_seeds import check_scored
from pipeline.models_reader import ModelsReader
from pipeline.models_views import comparison_view
from pipeline.result_store import read_failures, read_results, record_results, standing_failures
from pipeline.score_views import benchmark_view, scores_of
from pipeline.store import FileStore
from pipeline.verdicts import judge

SHARES = {"en": 0.8, "sw": 0.6}
FOUR = Skill("xnli", SHARES, examples=200, seeds=(1, 2, 4, 5))
WEEK = timedelta(days=7)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """`base` with five seeds of XNLI of which the third failed, and `other` with all five."""
    store = FileStore(tmp_path / "store")
    base, other = (write_checkpoint(store, name) for name in ("base", "other"))
    write_scores(store, base, FOUR)
    write_failure(store, base, "xnli", 3)
    write_scores(store, other, Skill("xnli", SHARES, 200, (1, 2, 3, 4, 5), seed=9))
    return store


def said_by(store: FileStore, *command: str) -> Any:
    found = CliRunner().invoke(xlmr, [*command, "--store", store.root], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def standing(store: FileStore) -> list[int]:
    return [each.row.seed for each in standing_failures(read_failures(store), read_results(store))]


def test_the_report_counts_them_and_says_why(store: FileStore) -> None:
    said = said_by(store, "report", "--format", "md")
    assert "base (4 of 5 seeds, 1 failed; " in said
    assert "other (5 seeds; " in said
    assert "Seeds without a score: base xnli transfer seed 3 (the loss is not finite in epoch 2)." in said


def test_a_comparison_counts_them_and_says_why(store: FileStore) -> None:
    told = json.loads(said_by(store, "compare", "other", "base", "--json"))
    [mean] = [row for row in told["differences"] if row["language"] == "mean"]
    assert (mean["seeds_a"], mean["failed_a"], mean["seeds_b"], mean["failed_b"]) == (5, 0, 4, 1)
    why = "seed 3, trained on en: the loss is not finite in epoch 2"
    assert f"B: xnli transfer: 4 of 5 seeds, 1 failed ({why})" in told["notes"]


def test_the_models_page_and_the_export_count_them(store: FileStore, tmp_path: Path) -> None:
    reader = ModelsReader(store)
    [found] = scores_of(reader, reader.checkpoint("base"))
    assert {(score.seeds, score.failed) for score in found.scores} == {(4, 1)}
    assert found.failures == ("seed 3, trained on en: the loss is not finite in epoch 2",)
    said_by(store, "export-results", "--to", str(tmp_path / "out"), "--organization", "Lab", "--checkpoint", "base")
    [path] = (tmp_path / "out").rglob("*.json")
    results = json.loads(path.read_text())["evaluation_results"]
    told = {each["score_details"]["details"]["failed_seeds"] for each in results}
    assert told == {"seed 3, trained on en: the loss is not finite in epoch 2"}


def test_the_pages_of_two_checkpoints_and_of_a_benchmark_count_them(store: FileStore) -> None:
    reader = ModelsReader(store)
    found = comparison_view(reader, reader.checkpoint("other"), reader.checkpoint("base"))
    assert {(row.failed_a, row.failed_b) for row in found.differences} == {(0, 1)}
    [line] = benchmark_view(reader, "xnli").failures
    assert line.startswith("base: xnli transfer: 4 of 5 seeds, 1 failed (seed 3, trained on en: ")


def test_a_later_success_replaces_a_failed_seed(store: FileStore) -> None:
    assert standing(store) == [3]
    [failed] = read_failures(store)
    write_scores(store, failed.origin.checkpoint_key, Skill("xnli", SHARES, 200, (3,)), FIRST_DAY + WEEK)
    assert standing(store) == []


def test_other_settings_leave_a_failed_seed_behind_and_a_later_failure_counts(store: FileStore) -> None:
    [failed] = read_failures(store)
    write_scores(store, failed.origin.checkpoint_key, Skill("xnli", SHARES, 200, (1, 2)), FIRST_DAY + WEEK, config="b")
    assert standing(store) == []  # the two seeds that stand now never had a third
    write_failure(store, failed.origin.checkpoint_key, "xnli", 4, FIRST_DAY + 2 * WEEK, config="c")
    assert standing(store) == [4]


def test_a_failed_unit_recorded_again_is_the_same(store: FileStore) -> None:
    [failed] = read_failures(store)
    [place] = [key for key in store.list("results/") if "/failed-" in key]
    before = store.get(place)
    record_results(store, failed.origin.lineage)
    assert store.get(place) == before
    store.delete(place)
    record_results(store, failed.origin.lineage)
    assert store.get(place) == before


def test_a_benchmark_without_any_score_is_an_error_and_others_are_told(
    store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    lineage = {each.origin.lineage for each in read_results(store, checkpoint_name="base")}
    [failed] = read_failures(store)
    check_scored(store, [*lineage, failed.origin.lineage])
    assert "xnli transfer: 4 of 5 seeds, 1 failed (seed 3, trained on en: " in caplog.text
    lost = write_failure(store, failed.origin.checkpoint_key, "sst2", 1)
    with pytest.raises(EmptyOutput, match=r"no score: sst2 transfer: 0 of 1 seed, 1 failed \(seed 1, trained on en: "):
        check_scored(store, [*lineage, lost])


def test_a_verdict_says_that_seeds_failed(store: FileStore) -> None:
    checkpoint = write_checkpoint(store, "base", quality=1.2)
    present = write_scores(store, checkpoint, FOUR, FIRST_DAY + WEEK)
    present.append(write_failure(store, checkpoint, "xnli", 3, FIRST_DAY + WEEK))
    verdict = judge(store, "base", checkpoint, present, significance=0.01, margin=0.0)
    assert verdict.status == "not worse"
    assert {(change.failed_a, change.failed_b) for change in verdict.differences} == {(1, 1)}
    assert [note[:2] for note in verdict.notes] == ["A:", "B:"]
