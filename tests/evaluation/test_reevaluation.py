"""What must be scored again and why, with the stages themselves on a tiny model and a retrieval set of four lines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.recorded_models import FIRST_DAY, Skill, write_scores
from pipeline.cli import xlmr
from pipeline.current import set_current
from pipeline.deployment import Deployment
from pipeline.draft import Draft
from pipeline.errors import BadConfig, MissingArtifact
from pipeline.reevaluation import CODE, DATA, NO_RESULT, SCORER, Wanted, chosen_checkpoints, take_in_data, wanted
from pipeline.result_store import read_failures, read_results
from pipeline.runner import run_work
from pipeline.runs import ReevaluateSettings
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages import load
from pipeline.store import FileStore
from pipeline.verdicts import read_verdict

# The sets of `euroeval` are drawn anew for each seed: without that, retrieval has one seed.
SETTINGS = ReevaluateSettings(benchmarks=("tatoeba",), seeds=(1, 2), finetuning="euroeval", checkpoints=("tiny",))
LINES = ("habari", "asante sana", "karibu nyumbani", "maji baridi")
ENGLISH = ("news", "thank you", "welcome home", "cold water")


class Place:
    """A store with a checkpoint, and a folder of benchmark data."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.data = folder / "data"
        (self.data / "tatoeba").mkdir(parents=True)
        self.write("tatoeba/tatoeba.swh-eng.swh", *LINES)
        self.write("tatoeba/tatoeba.swh-eng.eng", *ENGLISH)
        self.write("glue/SST-2/dev.tsv", "sentence\tlabel")
        self.store = FileStore(folder / "store")
        self.deployment = Deployment(store=self.store.root, benchmark_data=str(self.data))
        self.checkpoint = self.store.key(exported(model).run({}, [], self.store, "tiny"))
        set_current(self.store, "checkpoint", "tiny", self.checkpoint)

    def write(self, name: str, *lines: str) -> None:
        (self.data / name).parent.mkdir(parents=True, exist_ok=True)
        (self.data / name).write_text("\n".join(lines) + "\n")

    def wanted(self) -> list[Wanted]:
        deployment = take_in_data(SETTINGS, self.deployment, self.store)
        return wanted(SETTINGS, deployment, self.store, [("tiny", self.checkpoint)])

    def whys(self) -> list[str]:
        return [each.why for each in self.wanted()]

    def score(self) -> None:
        for each in self.wanted():
            if each.why:
                run_work(each.work, self.store.root)


def exported(source: Path) -> Stage:
    """A stage that publishes the files of a folder, in place of one that trains."""

    def body(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
        for path in source.iterdir():
            shutil.copyfile(path, draft.path(path.name))

    return Stage(name="export", version=1, config=StageConfig, body=body)


@pytest.fixture
def place(tmp_path: Path, model: Path) -> Place:
    found = Place(tmp_path, model)
    assert found.whys() == [NO_RESULT, NO_RESULT]
    found.score()
    return found


def test_what_was_scored_stands(place: Place) -> None:
    lineage = {each.origin.lineage for each in read_results(place.store)}
    assert {(each.why, each.work.key in lineage) for each in place.wanted()} == {("", True)}


def test_only_the_benchmark_whose_files_changed_is_scored_again(place: Place) -> None:
    place.write("glue/SST-2/dev.tsv", "sentence\tlabel", "fine\t1")
    assert place.whys() == ["", ""]
    place.write("tatoeba/tatoeba.swh-eng.swh", *reversed(LINES))
    assert place.whys() == [DATA, DATA]
    place.score()
    assert place.whys() == ["", ""]
    assert len({each.row.data for each in read_results(place.store)}) == 2


@pytest.mark.parametrize(("what", "why"), [("results.SCORER_VERSION", SCORER), ("code_digest.code_digest", CODE)])
def test_another_scorer_or_code_makes_another_unit(
    place: Place, monkeypatch: pytest.MonkeyPatch, what: str, why: str
) -> None:
    other = 99 if why == SCORER else lambda benchmark: "0123456789abcdef"
    monkeypatch.setattr(f"evaluation.{what}", other)
    found = place.wanted()
    assert [each.why for each in found] == [why, why]
    assert not any(place.store.exists(each.work.key) for each in found)


def test_scores_of_other_code_than_the_installed_are_refused(place: Place) -> None:
    work = place.wanted()[0].work
    config = work.config.model_copy(update={"code": "0123456789abcdef"})
    with pytest.raises(BadConfig, match="scores of the code 0123456789abcdef were asked for"):
        load("evaluate").run(config, work.inputs, place.store, work.unit)


def test_without_a_name_the_checkpoint_that_was_made_last_is_taken(place: Place, model: Path) -> None:
    later = place.store.key(exported(model).run({}, [], place.store, "another@40"))
    set_current(place.store, "checkpoint", "another@40", later)
    latest = SETTINGS.model_copy(update={"checkpoints": ()})
    assert chosen_checkpoints(latest, place.store) == {"another@40": later}
    with pytest.raises(MissingArtifact, match="no checkpoint 'no-such'"):
        chosen_checkpoints(SETTINGS.model_copy(update={"checkpoints": ("no-such",)}), place.store)


def test_a_model_from_outside_is_named_as_its_scores_are(place: Place, model: Path) -> None:
    work = place.wanted()[0].work
    outside = place.store.key(load("ingest").run({"source": str(model)}, [], place.store, "checkpoint/Owner/My-Model"))
    data = [key for key in work.inputs if key.startswith("ingest/")]
    load("evaluate").run(work.config, [outside, *data], place.store, work.unit)
    settings = SETTINGS.model_copy(update={"checkpoints": ("Owner/My-Model",)})
    found = chosen_checkpoints(settings, place.store)
    assert found == {"Owner/My-Model": outside}
    every = wanted(settings, take_in_data(settings, place.deployment, place.store), place.store, found.items())
    assert [(each.work.unit, each.why) for each in every] == [("tatoeba/seed-1", ""), ("tatoeba/seed-2", NO_RESULT)]
    run_work(every[1].work, place.store.root)
    assert {each.row.seed for each in read_results(place.store, checkpoint_name="Owner/My-Model")} == {1, 2}
    status, said = xlmr_reevaluate(place, named="Owner/My-Model")
    assert (status, said) == (0, "Owner/My-Model: first results\n")
    assert read_verdict(place.store, "Owner/My-Model") is not None


def test_a_seed_that_failed_is_not_tried_again_and_is_told(place: Place, model: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = place.data.parent / "broken"
    shutil.copytree(model, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["roberta.embeddings.LayerNorm.weight"][0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    place.checkpoint = place.store.key(exported(broken).run({}, [place.checkpoint], place.store, "tiny"))
    set_current(place.store, "checkpoint", "tiny", place.checkpoint)
    assert place.whys() == [NO_RESULT, NO_RESULT]
    place.score()
    assert place.whys() == ["", ""]
    failed = read_failures(place.store, checkpoint_key=place.checkpoint)
    assert [each.row.seed for each in failed] == [1, 2]
    assert failed[0].origin.hardware
    assert place.store.manifest(failed[0].origin.lineage).counts == {"failed_seeds": 1}
    found = CliRunner().invoke(xlmr, ["report", "--store", place.store.root, "--format", "md"])
    assert "Seeds without a score: tiny tatoeba frozen seed 1 (" in found.stdout


def xlmr_reevaluate(place: Place, *options: str, named: str = "tiny") -> tuple[int, str]:
    common = ["--store", place.store.root, "--place", f"benchmark_data={place.data}", "--workers", "1"]
    pairs = ["--set", "benchmarks=tatoeba", "--set", "seeds=1,2", "--set", "finetuning=euroeval"]
    found = CliRunner().invoke(xlmr, ["reevaluate", named, *common, *pairs, *options])
    return found.exit_code, found.stdout


def test_a_planted_regression_ends_the_command_with_1_and_names_its_test_set(place: Place) -> None:
    assert xlmr_reevaluate(place) == (0, "tiny: first results\n")
    row = read_results(place.store)[0].row
    given = {name: getattr(row, name) for name in ("data", "config", "selection", "dev", "scored", "max_tokens")}
    perfect = Skill("tatoeba", {"swh": 2.0}, examples=row.examples, seeds=(1, 2))
    write_scores(place.store, place.checkpoint, perfect, FIRST_DAY, **given)
    status, said = xlmr_reevaluate(place, "--set", "significance=0.9")
    assert status == 1, said
    assert said.splitlines()[-1].startswith("tiny is worse than its last results: tatoeba swh -")
    status, said = xlmr_reevaluate(place, "--set", "significance=0.9", "--set", "accept_regressions=true")
    assert status == 0
    verdict = read_verdict(place.store, "tiny")
    assert verdict is not None
    assert verdict.accepted


def test_a_dry_run_says_why(place: Place) -> None:
    place.write("tatoeba/tatoeba.swh-eng.eng", *reversed(ENGLISH))
    status, said = xlmr_reevaluate(place, "--dry-run")
    assert (status, said.splitlines()) == (0, [f"tiny  tatoeba/seed-{seed}  {DATA}" for seed in (1, 2)])
