"""Differences between models: what is noise, what is not, and how often the verdict is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.__main__ import main
from evaluation.compare import Comparison, compare, compare_each
from evaluation.records import DataError
from evaluation.results import CONTRIBUTIONS, RESULTS, ResultRow, Scored, read_results, write_results

LANGUAGES = ("en", "de", "sw", "ur", "zh")
ROW = ResultRow(
    benchmark="xnli", benchmark_version=2, language="en", metric="accuracy", value=0.0, examples=0, seed=1,
    headline=True, setting="transfer", selection="source", dev="dev", scored="test", trained_on="en", train_examples=9,
    epoch=1, max_tokens=128, chance=33.3, baseline=33.3, baseline_is="", paper=None, data="d", checkpoint="c",
    config="k", code="x",
)  # fmt: skip


def scored(right: np.ndarray, seed: int, language: str, **changed: object) -> Scored:
    """Accuracy of an array of 0 and 1."""
    contributions = np.stack([right.astype(float), np.ones(len(right))], axis=1)
    row = replace(ROW, language=language, seed=seed, value=100 * right.mean(), examples=len(right), **changed)  # type: ignore[arg-type]
    return Scored(row, contributions)


def model(chance: np.random.Generator, difficulty: np.ndarray, skill: float, seeds: int = 3) -> list[Scored]:
    """Answers of a model whose seeds differ by about one point in all languages at once."""
    found = []
    for seed in range(seeds):
        shift = chance.normal(0, 0.01)
        for place, language in enumerate(LANGUAGES):
            right = chance.random(difficulty.shape[1]) < np.clip(difficulty[place] + skill + shift, 0, 1)
            found.append(scored(right, seed, language))
    return found


def verdicts(difference: float, repetitions: int, seeds: int = 3, examples: int = 600) -> tuple[float, float]:
    """Shares of repetitions in which the mean, and in which any language, is not within noise."""
    means = languages = 0
    for repetition in range(repetitions):
        chance = np.random.default_rng(repetition)
        difficulty = np.tile(chance.beta(2, 1, examples), (len(LANGUAGES), 1)) - 0.05 * np.arange(5)[:, None]
        found = compare(
            model(chance, difficulty, 0, seeds), model(chance, difficulty, difference, seeds), replicates=200
        )
        *each, mean = found.differences
        means += mean.verdict != "within noise"
        languages += any(row.verdict != "within noise" for row in each)
    return means / repetitions, languages / repetitions


def test_equal_models_are_within_noise_and_a_worse_one_is_caught() -> None:
    mean, any_language = verdicts(0.0, 60)
    assert mean <= 0.1  # 5 % are asked for; 60 repetitions
    assert any_language <= 0.1
    mean, any_language = verdicts(-0.08, 20)
    assert mean == 1.0
    assert any_language >= 0.9


def test_the_mean_is_over_the_test_sets_that_the_benchmarks_authors_average() -> None:
    def side(**right: int) -> list[Scored]:
        answers = {name: np.arange(100) < n for name, n in right.items()}
        return [scored(each, 1, name, benchmark="tydiqa", metric="f1") for name, each in answers.items()]

    found = compare(side(en=10, ko=50, sw=60), side(en=90, ko=50, sw=70))
    mean = found.differences[-1]
    assert (mean.language, mean.a, mean.b, mean.examples) == ("mean", 55.0, 60.0, 200)


def test_the_same_answers_do_not_differ() -> None:
    chance = np.random.default_rng(1)
    rows = model(chance, np.full((5, 200), 0.7), 0)
    found = compare(rows, rows)
    assert all((row.difference, row.verdict) == (0.0, "within noise") for row in found.differences)
    assert not found.regression
    assert len(found.differences) == 6  # five languages and their mean


def test_pairing_finds_what_two_separate_intervals_would_not() -> None:
    """b is wrong on 12 more of 1,000 examples, on all else the two agree: 1.2 points, 3.5 standard errors."""
    right = np.random.default_rng(1).random(1000) < 0.7
    worse = right.copy()
    worse[np.flatnonzero(right)[:12]] = False
    [row] = compare([scored(right, 1, "en")], [scored(worse, 1, "en")]).differences
    assert row.difference == pytest.approx(-1.2)
    assert row.verdict == "worse"
    assert row.low < -1.2 < row.high < 0
    error = (row.high - row.low) / 2 / 1.96
    assert error == pytest.approx(100 * (0.012 * 0.988 / 1000) ** 0.5, rel=0.1)


def test_one_seed_is_said_to_tell_no_spread_between_seeds() -> None:
    right = np.arange(100) % 2 == 0
    found = compare([scored(right, 1, "en")], [scored(right, 1, "en")])
    assert found.notes == (
        "one seed alone does not tell the spread between seeds: its intervals are over examples only",
    )


def test_seeds_that_differ_widen_the_interval() -> None:
    """Seeds at 60 and 70 against 61 and 71: one point is nothing beside ten."""

    def at(percent: int, seed: int) -> Scored:
        return scored(np.arange(1000) < percent * 10, seed, "en")

    [row] = compare([at(60, 1), at(70, 2)], [at(61, 1), at(71, 2)]).differences
    assert row.difference == pytest.approx(1.0)
    assert row.verdict == "within noise"
    assert row.high - row.low > 20


def test_p_is_corrected_for_many_languages() -> None:
    """A difference that one language alone would show is noise among 40."""
    chance = np.random.default_rng(5)
    right = chance.random(1000) < 0.7
    worse = right.copy()
    worse[np.flatnonzero(right)[:5]] = False  # p about 0.025
    [alone] = compare([scored(right, 1, "en")], [scored(worse, 1, "en")]).differences
    names = [f"l{n}" for n in range(40)]
    a = [scored(right, 1, name) for name in names]
    b = [scored(worse if name == "l3" else right, 1, name) for name in names]
    [among] = [row for row in compare(a, b).differences if row.language == "l3"]
    assert (alone.verdict, among.verdict) == ("worse", "within noise")
    assert among.corrected_p == pytest.approx(min(1.0, 40 * among.p))


def test_a_margin_keeps_small_differences_quiet() -> None:
    right = np.arange(1000) < 700
    worse = np.arange(1000) < 688
    [row] = compare([scored(right, 1, "en")], [scored(worse, 1, "en")], margin=2.0).differences
    assert row.verdict == "within noise"


@pytest.mark.parametrize(("what", "value"), [("data", "other"), ("scorer_version", 9), ("scored", "dev")])
def test_scores_of_different_things_are_not_compared(what: str, value: object) -> None:
    right = np.arange(10) < 7
    with pytest.raises(DataError, match=r"xnli: .* differ .*: evaluate both again on the same files"):
        compare([scored(right, 1, "en")], [scored(right, 1, "en", **{what: value})])


@pytest.mark.parametrize("what", ["checkpoint", "data", "config", "code"])
def test_a_mean_over_seeds_that_were_made_otherwise_is_refused(what: str) -> None:
    right = np.arange(10) < 7
    mixed = [scored(right, 1, "en"), scored(right, 2, "en", **{what: "other"})]
    with pytest.raises(DataError, match=f"xnli: the seeds of B differ in {what} .*: wanted seeds that were made alike"):
        compare([scored(right, 1, "en")], mixed)


def test_a_benchmark_that_cannot_be_compared_does_not_keep_others_from_it() -> None:
    right = np.arange(10) < 7
    both = [scored(right, 1, "en"), scored(right, 1, "en", benchmark="sst2")]
    other = [scored(right, 1, "en"), scored(right, 1, "en", benchmark="sst2", data="other")]
    found = compare_each(both, [*other, scored(right, 1, "en", benchmark="qnli")])
    assert [row.benchmark for row in found.differences] == ["xnli"]
    assert found.notes[:2] == (
        "sst2: data differ (d and other): evaluate both again on the same files", "only B has qnli")  # fmt: skip
    with pytest.raises(DataError, match=r"sst2: data differ .*; only A has xnli"):
        compare_each(both, other[1:])
    with pytest.raises(DataError, match="neither of the two has a score"):
        compare_each([], [])


def test_retrieval_has_no_spread_between_seeds() -> None:
    row = scored(np.arange(10) < 7, 1, "swh", benchmark="tatoeba", setting="frozen", selection="none")
    assert compare([row], [row]).notes == ()


def test_scores_of_the_selection_that_both_have_are_compared() -> None:
    good, bad = np.arange(10) < 9, np.arange(10) < 1
    a = [scored(bad, 1, "en"), scored(good, 1, "en", selection="joint"), scored(good, 2, "en", selection="joint")]
    found = compare(a, [scored(good, 1, "en", selection="joint")])
    [row] = found.differences
    assert (row.a, row.b, row.seeds_a) == (90.0, 90.0, 2)
    assert "A: xnli transfer: scores with the selection source are left out" in found.notes


def test_what_only_one_side_has_is_noted() -> None:
    right = np.arange(10) < 7
    a = [scored(right, 1, "en"), scored(right, 1, "de"), scored(right, 1, "en", setting="translate-test")]
    found = compare(a, [scored(right, 1, "en", selection="joint")])
    assert found.notes[:3] == (
        "only A has xnli translate-test accuracy",
        "xnli: only one of the two was scored on de",
        "xnli: selection differ (source and joint)",
    )
    with pytest.raises(DataError, match="nothing to compare"):
        compare(a, [scored(right, 1, "en", benchmark="pawsx")])


def test_f1_and_correlation_are_resampled_by_their_own_definitions() -> None:
    chance = np.random.default_rng(2)
    counts = np.stack([chance.integers(0, 3, 400), np.full(400, 3), np.full(400, 3)], axis=1).astype(float)
    worse = counts.copy()
    worse[:, 0] = np.maximum(worse[:, 0] - (chance.random(400) < 0.3), 0)
    row = replace(ROW, benchmark="ner", metric="f1", examples=400)
    [found] = compare([Scored(row, counts)], [Scored(row, worse)]).differences
    assert found.a == pytest.approx(100 * counts[:, 0].sum() / 1200)
    assert found.verdict == "worse"


def test_a_comparison_is_plain_json() -> None:
    right = np.arange(50) < 30
    found: Comparison = compare([scored(right, 1, "en")], [scored(right, 1, "en")])
    stated = json.loads(json.dumps(found.to_json()))
    assert stated["regression"] is False
    assert stated["differences"][0]["verdict"] == "within noise"


def test_results_of_all_seeds_below_a_folder_are_compared_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = np.arange(1000) < 700
    worse = np.arange(1000) < 500
    for name, answers in (("a", right), ("b", worse)):
        for seed in (1, 2):
            write_results([scored(answers, seed, "en")], {"en": ["neutral"]}, tmp_path / name / f"seed-{seed}")
    command = ["evaluation", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    for flags, code in (([], 0), (["--fail-on-regression"], 1), (["--fail-on-regression", "--margin", "30"], 0)):
        monkeypatch.setattr("sys.argv", [*command, *flags])
        assert main() == code
        said = json.loads(capsys.readouterr().out)
        assert said["differences"][0]["difference"] == pytest.approx(-20.0)
        assert said["differences"][0]["seeds_a"] == 2
    monkeypatch.setattr("sys.argv", ["evaluation", "compare", str(tmp_path / "a"), str(tmp_path / "nothing")])
    assert main() == 2
    assert "nothing: no results.json in it or below it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "damaged"),
    [(CONTRIBUTIONS, b"PK\x03\x04 cut here"), (CONTRIBUTIONS, b""), (RESULTS, b'{"a": 1}'), (RESULTS, b"[1]")],
)
def test_a_damaged_file_of_results_is_named_in_one_line(name: str, damaged: bytes, tmp_path: Path) -> None:
    write_results([scored(np.arange(50) < 30, 1, "en")], {"en": ["neutral"]}, tmp_path)
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(DataError, match=f"{tmp_path}: .*: wanted {RESULTS} and {CONTRIBUTIONS} of one evaluation"):
        read_results(tmp_path)
