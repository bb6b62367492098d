"""Fine-tuning: deterministic, resumable, honest about what it cannot score."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.encoders import load
from evaluation.finetune import run
from evaluation.heads import Head
from evaluation.presets import preset
from evaluation.records import DataError
from evaluation.results import read_results, summarise
from evaluation.settings import FinetuneConfig
from evaluation.state import TuningState
from evaluation.tuning import DivergedError, Tuner, rate_at

CONFIG = FinetuneConfig(seed=3, epochs=3, batch=16, learning_rate=1e-3, max_tokens=64)


def same_files(first: Path, second: Path) -> list[str]:
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    return names


@pytest.mark.parametrize("name", ["sst2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ner", "mlqa"))])
def test_a_seed_gives_the_same_results_twice(name: str, data: Path, model: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=2)
    first = run(name, model, data, tmp_path / "a", config)
    assert first == run(name, model, data, tmp_path / "b", config)
    assert "results.json" in same_files(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
def test_a_killed_run_goes_on_after_its_last_epoch_to_the_same_bytes(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("sst2", model, data, tmp_path / "whole", CONFIG)
    save, epochs = TuningState.save, list[int]()

    def killed_after_one(self: TuningState, *given: object) -> None:
        save(self, *given)  # type: ignore[arg-type]
        epochs.append(given[2].epochs)  # type: ignore[attr-defined]
        if len(epochs) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(TuningState, "save", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        run("sst2", model, data, tmp_path / "resumed", CONFIG, tmp_path / "state")
    run("sst2", model, data, tmp_path / "resumed", CONFIG, tmp_path / "state")
    assert epochs == [1, 2, 3]  # no epoch was trained twice
    same_files(tmp_path / "whole", tmp_path / "resumed")
    run("sst2", model, data, tmp_path / "again", CONFIG, tmp_path / "state")
    assert epochs == [1, 2, 3]  # a finished one is only scored
    same_files(tmp_path / "whole", tmp_path / "again")


@pytest.mark.slow
def test_the_state_of_another_fine_tuning_is_not_taken_up(data: Path, model: Path, tmp_path: Path) -> None:
    run("sst2", model, data, tmp_path / "a", CONFIG, tmp_path / "state")
    other = replace(CONFIG, learning_rate=2e-3)
    run("sst2", model, data, tmp_path / "b", other, tmp_path / "state")
    run("sst2", model, data, tmp_path / "c", other)
    same_files(tmp_path / "b", tmp_path / "c")


def test_a_head_whose_numbers_are_not_finite_has_no_score(data: Path, model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "model"
    shutil.copytree(model, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["roberta.embeddings.LayerNorm.weight"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DivergedError, match="sst2 seed 3: the loss is not finite in epoch 1: this run has no score"):
        run("sst2", broken, data, tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_logits_that_are_not_finite_are_not_predictions(data: Path, model: Path) -> None:
    loaded = load(model)
    tuner = Tuner(Head(loaded, BENCHMARKS["sst2"]), loaded.tokenizer, BENCHMARKS["sst2"], CONFIG, 64)
    rows = tuner.prepare(read_splits("sst2", data).test["en"][:4])
    assert len(tuner.predict({"en": rows})["en"]) == 4
    torch.nn.init.constant_(tuner.head.out.bias, float("inf"))
    with pytest.raises(DivergedError, match="sst2 seed 3: the head's logits are not finite: this run has no score"):
        tuner.predict({"en": rows})


def test_half_precision_trains_and_predicts(data: Path, model: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1, precision="bfloat16")
    [row] = run("sst2", model, data, tmp_path / "out", config)
    assert row.config != replace(config, precision="float32").digest()


def test_data_are_checked_whole_before_anything_is_trained(data: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "data"
    shutil.copytree(data, spoiled)
    path = spoiled / "conll" / "deu.testb"
    lines = path.read_text().splitlines()
    lines[4] = "Wort x X O B-FOO"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"deu\.testb line 5: tag 'B-FOO'"):
        run("ner", tmp_path / "no model is opened", spoiled, tmp_path / "out", CONFIG)


def test_a_setting_whose_data_are_not_there_says_so(data: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sst2 has no setting 'each'"):
        run("sst2", model, data, tmp_path, replace(CONFIG, setting="each"))
    with pytest.raises(DataError, match="no test set for the setting translate-test"):
        run("xnli", model, data, tmp_path, replace(CONFIG, setting="translate-test"))
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "conll" / "eng.train").unlink()
    with pytest.raises(DataError, match=r"ner: no training set in en \(there: de, es, nl\)"):
        run("ner", model, tmp_path / "data", tmp_path, CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "selection", "models"),
    [("each", "source", {"de", "en", "es", "nl"}), ("all", "joint", {"all"}), ("transfer", "per-language", {"en"})],
)
def test_ner_is_trained_on_each_language_on_all_and_on_english(
    setting: str, selection: str, models: set[str], data: Path, model: Path, tmp_path: Path
) -> None:
    config = replace(CONFIG, epochs=2, setting=setting, selection=selection)  # type: ignore[arg-type]
    rows = run("ner", model, data, tmp_path / "out", config)
    assert {row.language for row in rows} == {"en", "de", "es", "nl"}
    assert {row.trained_on for row in rows} == models
    assert {(row.setting, row.selection) for row in rows} == {(setting, selection)}
    assert [row.paper for row in rows if row.language == "nl"] == [BENCHMARKS["ner"].paper_scores(setting)["nl"]]
    assert {row.train_examples for row in rows} == {360 if setting == "all" else 90}


@pytest.mark.slow
def test_translate_settings_of_xnli_use_the_translated_files(data: Path, model: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    folder = tmp_path / "data" / "xnli"
    english = (folder / "multinli.train.en.tsv").read_text()
    (folder / "multinli.train.de.tsv").write_text(english)
    official = (folder / "xnli.test.tsv").read_text().splitlines()
    translated = [line for line in official if line.split("\t")[0] in ("language", "de", "sw")]
    (folder / "xnli.test.en.tsv").write_text("\n".join(translated) + "\n")
    config = replace(CONFIG, epochs=1)
    found = {
        setting: run("xnli", model, tmp_path / "data", tmp_path / setting, replace(config, setting=setting))  # type: ignore[arg-type]
        for setting in ("translate-train", "translate-train-all", "translate-test")
    }
    assert {(row.language, row.trained_on) for row in found["translate-train"]} == {("de", "de"), ("en", "en")}
    assert {row.train_examples for row in found["translate-train-all"]} == {180}
    assert len(found["translate-train-all"]) == 6
    assert {row.language for row in found["translate-test"]} == {"de", "sw"}


def test_rows_say_what_they_are_scores_of(data: Path, model: Path, tmp_path: Path) -> None:
    [row] = run("sst2", model, data, tmp_path / "out", CONFIG)
    assert (row.scored, row.dev, row.selection, row.setting) == ("dev", "held out from train", "source", "transfer")
    assert (row.examples, row.train_examples, row.max_tokens) == (30, 81, 64)
    assert (row.chance, row.baseline, row.baseline_is) == (50.0, 50.0, "the training set's most frequent label")
    assert 1 <= row.epoch <= 3
    [stored] = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {"data", "checkpoint", "config", "code", "scorer_version", "benchmark_version"} <= stored.keys()
    [kept] = read_results(tmp_path / "out")
    assert kept.row == row
    assert kept.contributions.shape == (30, 2)
    assert 100 * kept.contributions[:, 0].mean() == pytest.approx(row.value, abs=1e-4)


def test_seeds_are_averaged_and_failed_ones_counted(data: Path, model: Path, tmp_path: Path) -> None:
    rows = [run("sst2", model, data, tmp_path / str(seed), replace(CONFIG, epochs=1, seed=seed))[0] for seed in (1, 2)]
    values = [row.value for row in rows]
    [summary] = summarise(rows, seeds=3)
    assert (summary.seeds, summary.failed) == (2, 1)
    assert summary.mean == pytest.approx(sum(values) / 2)
    assert summary.deviation == pytest.approx(abs(values[0] - values[1]) / 2**0.5)


def test_training_ends_after_epochs_without_gain(data: Path, model: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=30, learning_rate=0.0, patience=2)  # no rate, so no gain after the first
    run("sst2", model, data, tmp_path / "out", config, tmp_path / "state")
    kept = torch.load(tmp_path / "state" / "sst2-en-3" / "state.pt", weights_only=True)
    assert kept["progress"]["epochs"] == 3
    assert [path.name for path in sorted((tmp_path / "state" / "sst2-en-3").iterdir())] == ["epoch-0001.pt", "state.pt"]


def test_the_rate_rises_and_falls_in_a_line() -> None:
    assert [rate_at(update, 10, 0.2) for update in (0, 1, 2, 6, 9)] == [0.5, 1.0, 1.0, 0.5, 0.125]


def test_the_papers_presets_are_the_papers() -> None:
    config = preset("paper", "xnli")
    assert (config.epochs, config.batch, config.learning_rate, config.selection) == (30, 128, 5e-6, "joint")
    assert (config.updates_per_epoch, config.patience) == (5000, 5)
    assert preset("paper", "mlqa").max_tokens == 384
    assert preset("tiny", "ner", 4, "all").selection == "joint"
    with pytest.raises(ValueError, match="xnli has no setting 'each'"):
        preset("paper", "xnli", setting="each")


def test_the_papers_averages_are_those_of_its_rows() -> None:
    for name in ("xnli", "ner", "mlqa"):
        rows = [row for row in BENCHMARKS[name].published if row.average is not None and row.table != "5"]
        # The paper prints the averages of XLM-100's two transfer rows (N and 1) each in the other's place.
        rows = [row for row in rows if (row.system, row.setting) != ("XLM-100", "transfer")]
        assert len(rows) >= 4
        for row in rows:
            assert sum(row.scores.values()) / len(row.scores) == pytest.approx(row.average, abs=0.09), row.system


def test_the_learning_rate_with_the_best_dev_score_is_taken_and_stated(model: Path, data: Path, tmp_path: Path) -> None:
    alone, rates = {}, (1e-9, 3e-3)
    for rate in rates:
        config = replace(preset("tiny", "ner"), epochs=3, batch=8, learning_rate=rate)
        alone[rate] = run("ner", model, data, tmp_path / str(rate), config)
    config = replace(preset("tiny", "ner", learning_rates=rates), epochs=3, batch=8)
    searched = run("ner", model, data, tmp_path / "searched", config)
    assert {(row.learning_rate, row.learning_rates) for row in searched} == {(3e-3, rates)}
    assert [row.value for row in searched] == [row.value for row in alone[3e-3]]
    assert [row.value for row in searched] != [row.value for row in alone[1e-9]]


def test_xtremes_numbers_are_for_its_benchmarks_alone() -> None:
    assert preset("xtreme", "xnli").max_tokens == 128
    with pytest.raises(ValueError, match="XTREME has no numbers of fine-tuning for sst2"):
        preset("xtreme", "sst2")
