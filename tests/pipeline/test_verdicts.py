"""Verdicts on recorded scores: what is compared with what, what counts as a regression, what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.recorded_models import FIRST_DAY, Skill, write_checkpoint, write_scores
from pipeline.errors import CorruptArtifact
from pipeline.store import FileStore
from pipeline.verdicts import Verdict, judge, read_verdict, regressions_since

GOOD = {"en": 0.85, "sw": 0.7, "ur": 0.65}
WEEK = timedelta(days=7)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def scored(store: FileStore, week: int, shares: dict[str, float], **row: str) -> tuple[str, list[str]]:
    """A version of the checkpoint `base` with its scores on XNLI: its key, and theirs."""
    checkpoint = write_checkpoint(store, "base", quality=1 + week / 10, at=FIRST_DAY + week * WEEK)
    skill = Skill("xnli", shares, examples=800, seed=week)
    return checkpoint, write_scores(store, checkpoint, skill, FIRST_DAY + week * WEEK, **row)


def judged(store: FileStore, made: tuple[str, list[str]], *, accept: bool = False) -> Verdict:
    return judge(store, "base", made[0], made[1], significance=0.01, margin=0.0, accept=accept)


def test_the_first_results_are_compared_with_nothing(store: FileStore) -> None:
    verdict = judged(store, scored(store, 0, GOOD))
    assert (verdict.status, verdict.fails, verdict.last) == ("first results", False, ())


def test_a_worse_checkpoint_is_caught_and_its_languages_are_named(store: FileStore) -> None:
    scored(store, 0, GOOD)
    verdict = judged(store, scored(store, 1, GOOD | {"sw": 0.5}))
    assert verdict.fails
    assert {change.language for change in verdict.regressions} == {"sw", "mean"}
    assert verdict.told().startswith("base is worse than its last results: xnli sw -2")
    assert read_verdict(store, "base") == verdict


def test_an_equal_checkpoint_is_not_blamed(store: FileStore) -> None:
    scored(store, 0, GOOD)
    verdict = judged(store, scored(store, 1, GOOD))
    assert (verdict.status, verdict.told()) == ("not worse", "base: not worse than its last results")


def test_what_is_compared_with_are_the_last_results_not_older_ones(store: FileStore) -> None:
    scored(store, 0, GOOD)
    _, second = scored(store, 1, GOOD | {"sw": 0.5})
    verdict = judged(store, scored(store, 2, GOOD | {"sw": 0.5}))
    assert verdict.last == tuple(sorted(second))
    assert not verdict.fails


def test_the_same_weights_scored_by_other_code_are_compared(store: FileStore) -> None:
    checkpoint, _ = scored(store, 0, GOOD, code="before")
    present = write_scores(store, checkpoint, Skill("xnli", GOOD, 800), FIRST_DAY + WEEK, code="now")
    assert judged(store, (checkpoint, present)).status == "not worse"


def test_scores_on_other_data_or_with_other_settings_are_no_regression(store: FileStore) -> None:
    scored(store, 0, GOOD, config="small")
    assert judged(store, scored(store, 1, {"en": 0.4})).status == "first results"
    verdict = judged(store, scored(store, 2, {"en": 0.2}, data="other files"))
    assert verdict.status == "not comparable"
    assert verdict.notes == ("xnli: data differ (recorded and other files): evaluate both again on the same files",)


def test_an_accepted_regression_fails_no_later_run(store: FileStore) -> None:
    scored(store, 0, GOOD)
    worse = scored(store, 1, {"en": 0.5})
    assert judged(store, worse).fails
    assert judged(store, worse).fails
    assert not judged(store, worse, accept=True).fails
    assert not judged(store, worse).fails


def test_the_message_about_a_run_has_its_own_regressions_alone(store: FileStore) -> None:
    scored(store, 0, GOOD)
    verdict = judged(store, scored(store, 1, {"en": 0.5}))
    now = datetime.now(UTC)
    assert regressions_since(store, now - timedelta(minutes=1)) == [verdict.told()]
    assert regressions_since(store, now + timedelta(minutes=1)) == []


def test_a_broken_verdict_is_named(store: FileStore) -> None:
    store.put("verdicts/base.json", b"{")
    with pytest.raises(CorruptArtifact, match=r"verdicts/base\.json: no readable verdict: delete it"):
        read_verdict(store, "base")
