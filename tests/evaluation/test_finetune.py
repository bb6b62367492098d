"""Fine-tuning: deterministic, resumable, honest about what it cannot score."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.bootstrap import drawn_counts, drawn_splits
from evaluation.encoders import load
from evaluation.finetune import run
from evaluation.heads import Head
from evaluation.presets import preset
from evaluation.records import DataError
from evaluation.results import NEAR_CHANCE, FailedSeed, read_failed_below, read_results
from evaluation.settings import FinetuneConfig
from evaluation.state import TuningState
from evaluation.summaries import summarise, told_seeds
from evaluation.tuning import DivergedError, Prepared, Tuner, rate_at

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


def killed_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> list[int]:
    """Every run is killed when it has done so many more epochs; the list says which were done."""
    save, done = TuningState.save, list[int]()

    def killed(self: TuningState, *given: object) -> None:
        save(self, *given)  # type: ignore[arg-type]
        done.append(given[2].epochs)  # type: ignore[attr-defined]
        if len(done) % epochs == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(TuningState, "save", killed)
    return done


@pytest.mark.slow
@pytest.mark.parametrize("searched", [True, False], ids=["learning rates", "a model for each language"])
def test_a_run_of_several_fine_tunings_that_is_killed_again_and_again_ends_with_the_same_bytes(
    searched: bool, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, name = replace(CONFIG, epochs=2, learning_rates=(1e-3, 3e-3)), "sst2"
    if not searched:
        config, name = replace(CONFIG, epochs=2, setting="translate-train"), "xnli"
        shutil.copytree(data, tmp_path / "data")
        data = tmp_path / "data"
        train = data / "xnli" / "multinli.train.en.tsv"
        shutil.copyfile(train, train.with_name("multinli.train.de.tsv"))
    run(name, model, data, tmp_path / "whole", config)
    done = killed_after(monkeypatch, 1)
    for _ in range(4):  # two fine-tunings of two epochs
        with pytest.raises(KeyboardInterrupt):
            run(name, model, data, tmp_path / "resumed", config, tmp_path / "state")
    run(name, model, data, tmp_path / "resumed", config, tmp_path / "state")
    assert done == [1, 2, 1, 2]  # no epoch was trained twice
    assert "results.json" in same_files(tmp_path / "whole", tmp_path / "resumed")


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
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["failed.json"]
    [failed] = read_failed_below(tmp_path)
    assert (failed.benchmark, failed.setting, failed.seed, failed.trained_on) == ("sst2", "transfer", 3, "en")
    assert failed.reason.startswith("the loss is not finite in epoch 1: this run has no score")
    run("sst2", model, data, tmp_path / "out", replace(CONFIG, epochs=1))
    assert read_failed_below(tmp_path) == []  # a later success replaces it


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


def first_losses(data: Path, model: Path, config: FinetuneConfig) -> list[float]:
    """Of three updates."""
    loaded = load(model)
    torch.manual_seed(1)
    head = Head(loaded, BENCHMARKS["sst2"])
    for network in loaded.model.children() if config.compile else ():
        network.compile(dynamic=True)
    tuner = Tuner(head, loaded.tokenizer, BENCHMARKS["sst2"], config, 64)
    prepared, optimizer = tuner.prepare(read_splits("sst2", data).train["en"][:48]), tuner.optimizer()
    head.eval()  # without dropout, whose numbers a compiled network draws otherwise
    return [float(tuner._update(prepared.take(range(at, at + 16)), optimizer)) for at in (0, 16, 32)]


def test_half_precision_gives_nearly_the_same_losses(data: Path, model: Path) -> None:
    whole = first_losses(data, model, CONFIG)
    half = first_losses(data, model, replace(CONFIG, precision="bfloat16"))
    assert half != whole
    assert half == pytest.approx(whole, abs=0.02)


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_losses(data: Path, model: Path) -> None:
    assert first_losses(data, model, replace(CONFIG, compile=True)) == pytest.approx(
        first_losses(data, model, CONFIG), abs=1e-4
    )


def test_all_test_sets_share_one_pass(data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes, logits = list[int](), Tuner._logits

    def counted(self: Tuner, every: Prepared) -> list[torch.Tensor]:
        passes.append(len(every.rows))
        return logits(self, every)

    monkeypatch.setattr(Tuner, "_logits", counted)
    rows = run("xnli", model, data, tmp_path, replace(CONFIG, epochs=1))
    assert len({row.language for row in rows}) > 2
    assert passes[1:] == [sum(row.examples for row in rows)]  # after that over the dev set


def test_bootstrapped_sets_are_drawn_by_the_seed_and_stated(data: Path, model: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1, bootstrap=True)
    [row] = run("sst2", model, data, tmp_path / "a", config)
    assert [row] == run("sst2", model, data, tmp_path / "b", config)
    assert row.bootstrap
    assert row.config != replace(config, bootstrap=False).digest()
    [kept] = read_results(tmp_path / "a")
    counts = kept.contributions[:, 1]  # how often each example was drawn
    assert counts.sum() == row.examples == 30
    assert {0.0, 1.0, 2.0} <= set(counts)
    assert row.value == pytest.approx(100 * kept.contributions[:, 0].sum() / 30, abs=1e-3)
    assert list(drawn_counts(30, 3)) == list(counts) != list(drawn_counts(30, 4))
    splits = read_splits("sst2", data)
    drawn, other = drawn_splits(splits, 3), drawn_splits(splits, 4)
    assert (len(drawn.train["en"]), drawn.test) == (len(splits.train["en"]), splits.test)
    assert len(set(drawn.train["en"])) < len(set(splits.train["en"]))
    assert drawn.train != other.train
    assert drawn.dev != splits.dev


def test_settings_that_are_off_leave_earlier_digests_as_they_were() -> None:
    assert FinetuneConfig().digest() == "52956a30ebf84350"


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
    assert found["translate-train"][0].flags[0] == "no model of es, fr, ru, sw: no training set"
    assert found["translate-train-all"][0].flags[0] == "trained without es, fr, ru, sw: no training set"
    assert {row.language for row in found["translate-test"]} == {"de", "sw"}


def test_rows_say_what_they_are_scores_of(data: Path, model: Path, tmp_path: Path) -> None:
    [row] = run("sst2", model, data, tmp_path / "out", CONFIG)
    assert (row.scored, row.dev, row.selection, row.setting) == ("dev", "held out from train", "source", "transfer")
    assert (row.examples, row.train_examples, row.max_tokens) == (30, 81, 64)
    assert (row.chance, row.baseline, row.baseline_is) == (50.0, 50.0, "the training set's most frequent label")
    assert row.flags[-1] == "30 examples, the published dev set has 872"
    assert 1 <= row.epoch <= 3
    [stored] = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {"data", "checkpoint", "config", "code", "scorer_version", "benchmark_version"} <= stored.keys()
    [kept] = read_results(tmp_path / "out")
    assert kept.row == row
    assert kept.contributions.shape == (30, 2)
    assert row.value == stored["value"] == 100 * kept.contributions[:, 0].sum() / 30  # every digit


def test_seeds_are_averaged_and_failed_ones_counted(data: Path, model: Path, tmp_path: Path) -> None:
    rows = [run("sst2", model, data, tmp_path / str(seed), replace(CONFIG, epochs=1, seed=seed))[0] for seed in (1, 2)]
    values = [row.value for row in rows]
    lost = [FailedSeed("sst2", 2, *rows[0].place[1:3], seed, "en", 64, "", "", "", "", "not finite") for seed in (2, 3)]
    [summary] = summarise(rows, lost)
    assert (summary.seeds, summary.failed) == (2, 1)  # seed 2 has a score
    assert summary.mean == pytest.approx(sum(values) / 2)
    assert summary.deviation == pytest.approx(abs(values[0] - values[1]) / 2**0.5)


def test_seeds_that_learned_nothing_are_counted(data: Path, model: Path, tmp_path: Path) -> None:
    [row] = run("sst2", model, data, tmp_path / "out", replace(CONFIG, epochs=1, learning_rate=0.0))
    assert summarise([replace(row, flags=()), replace(row, seed=4, flags=("other", NEAR_CHANCE))])[0].collapsed == 1
    assert "one label for all" in row.flags  # without a learning rate the head answers one label
    assert [told_seeds(5), told_seeds(1), told_seeds(4, 1), told_seeds(0, 1), told_seeds(2, 0, 1)] == [
        "5 seeds", "1 seed", "4 of 5 seeds, 1 failed", "0 of 1 seed, 1 failed", "2 seeds, 1 collapsed",
    ]  # fmt: skip


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


def test_euroevals_numbers() -> None:
    config = preset("euroeval", "ner", seed=7)
    assert (config.learning_rate, config.batch, config.updates_per_epoch, config.patience) == (2e-5, 32, 30, 2)
    assert config.updates_per_epoch * config.epochs <= 10_000 < config.updates_per_epoch * (config.epochs + 1)
    assert (config.bootstrap, config.seed, config.max_tokens) == (True, 7, 8192)
