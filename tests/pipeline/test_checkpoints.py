"""Checkpoints of the store that no pretraining made, what builds on them, and milestones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from pipeline import stages
from pipeline.build_on import make_plan, named_manifests
from pipeline.checkpoints import EXTENSION, ExtendConfig, checkpoint_key, extend_checkpoint, trim_checkpoint
from pipeline.cli import xlmr
from pipeline.current import current, set_current
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, BadInput, FactoryError, MissingArtifact
from pipeline.fertility_table import fertility_of
from pipeline.imports import import_checkpoint, import_vocabulary
from pipeline.runner import run_work
from pipeline.runs import EVALUATE, PRETRAIN, VOCABULARY
from pipeline.store import ArtifactStore, open_store
from tests.pipeline.tiny_release import TEXTS, make_release, put
from training.export import export_hugging_face, save_final
from training.model import MaskedLanguageModel
from training.pieces import read_pieces
from training.sizes import xlmr_tiny
from training.vocabulary import PIECES, Vocabulary, train_vocabulary

SETTINGS = {"block_tokens": 16, "batch_blocks": 8, "steps": 8, "processes": 1, "warmup_steps": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of English and German in XLM-R's format, from outside."""
    made = tmp_path_factory.mktemp("outside")
    old = {language: TEXTS[language] for language in ("en", "de")}
    characters = {language: sum(map(len, texts)) for language, texts in old.items()}
    train_vocabulary({k: (lambda v=v: v) for k, v in old.items()}, characters, made / "pieces", size=90)  # type: ignore[misc]
    torch.manual_seed(1)
    model = MaskedLanguageModel(xlmr_tiny(len(Vocabulary.load(made / "pieces")), max_tokens=32))
    save_final(model, model.encoder.config, made / "final")
    export_hugging_face(made / "final", made / "pieces", made / "model")
    return made / "model"


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """The release `mine` in three languages, and the checkpoint `outside`."""
    root = tmp_path_factory.mktemp("stores")
    found = open_store(str(root / "store"))
    make_release(found, "mine", ("en", "de", "sw"), root / "texts")
    import_checkpoint(found, str(folder), "outside")
    return found


def opened(store: ArtifactStore, name: str) -> dict[str, Path]:
    manifest = store.manifest(checkpoint_key(store, name))
    return {artifact.name: store.open(artifact) for artifact in manifest.artifacts}


# --- import and export


def test_a_checkpoint_comes_in_and_goes_out_with_the_same_bytes(
    store: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    said = CliRunner().invoke(xlmr, ["export", "outside", "--to", str(tmp_path / "out"), "--store", store.root])
    assert said.exit_code == 0, said.output
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_its_source_is_among_what_it_was_made_from(store: ArtifactStore, folder: Path) -> None:
    [source] = store.manifest(checkpoint_key(store, "outside")).inputs
    manifest = store.manifest(source)
    assert (manifest.stage, manifest.unit, manifest.config["source"]) == ("ingest", "checkpoint/outside", str(folder))
    assert [one.name for one in manifest.artifacts] == ["config.json", "model.safetensors", PIECES]


def test_a_bin_file_without_a_vocabulary_takes_one_from_elsewhere(
    store: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(BadInput, match=r"no sentencepiece.bpe.model \(or name one with --vocabulary\)"):
        import_checkpoint(store, str(tmp_path), "binary")
    import_checkpoint(store, str(tmp_path), "binary", folder / PIECES)
    assert opened(store, "binary")["model.safetensors"].read_bytes() == (folder / "model.safetensors").read_bytes()


def test_changed_files_are_another_import(store: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    first = import_checkpoint(store, str(tmp_path), "changing")
    config = json.loads((tmp_path / "config.json").read_text()) | {"trained_tokens": 24}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert import_checkpoint(store, str(tmp_path), "changing") != first


WRONG_CALLS = {
    "an empty folder": (["import", ".", "--name", "a"], "no config.json, no model.safetensors or pytorch_model.bin"),
    "no folder": (["import", "nowhere", "--name", "a"], "nowhere: no such folder"),
    "no model file": (["import", "text.txt", "--name", "a"], "text.txt: wanted a SentencePiece model"),
    "a name with a space": (["import", ".", "--name", "a b"], "'a b': wanted lower-case letters"),
    "an unknown checkpoint": (["export", "none", "--to", "out"], "no checkpoint 'none'"),
    "a folder with files": (["export", "outside", "--to", "."], "there is something already"),
    "a key of something else": (["export", "export/x/manifest.json", "--to", "out"], "wanted a checkpoint's name"),
    "a name with a line's end": (["import", ".", "--name", "a\n"], "wanted lower-case letters"),
    "bytes that are no text": (["trim", "outside", "--name", "a", "--text", "bytes"], "bytes: 'utf-8' codec"),
    "text of nothing": (["trim", "outside", "--name", "a", "--text", "nothing"], "no piece of the vocabulary"),
    "no new language": (["extend", "outside", "--name", "a", "--release", "mine", "--languages", ","], "name the new"),
    "nothing to keep": (["trim", "outside", "--name", "a"], "nothing says which pieces to keep"),
    "a language that is not there": (
        ["trim", "outside", "--name", "a", "--release", "mine", "--languages", "fr"],
        "release mine has no fr: it has de, en, sw",
    ),
    "nothing but new languages": (
        ["extend", "outside", "--name", "a", "--release", "mine", "--languages", "en,de,sw"],
        "the old ones would be forgotten",
    ),
    "no release to train on": (["pretrain", "--from", "outside"], "say which release to train on"),
    "its own name": (
        ["pretrain", "--from", "outside", "--release", "mine", "--set", "model_name=outside"], "choose another name"
    ),
    "an unknown model": (["pretrain", "--set", "model=huge"], "'huge' is no model of the paper: wanted one of tiny"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG_CALLS)
def test_a_wrong_call_is_refused_in_one_line(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("no model")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "nothing").touch()
    arguments, said = WRONG_CALLS[fault]
    found = CliRunner().invoke(xlmr, [*arguments, "--store", store.root])
    assert found.exit_code != 0
    message = str(found.exception) if isinstance(found.exception, FactoryError) else found.output
    assert said in message


def test_an_export_that_was_broken_off_leaves_nothing_in_the_way(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["export", "outside", "--to", str(tmp_path / "out"), "--store", store.root]
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.cli.training.shutil.copyfile", fill_the_disk)
        assert CliRunner().invoke(xlmr, arguments).exit_code != 0
    assert not list(tmp_path.iterdir())
    assert CliRunner().invoke(xlmr, arguments).exit_code == 0


def fill_the_disk(source: Path, target: Path) -> None:
    target.write_bytes(b"half")
    raise OSError(28, "No space left on device")


def test_what_is_wrong_with_a_folder_names_the_folder(store: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text()) | {"num_attention_heads": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=rf"^{tmp_path}: config.json: hidden_size 128 is no multiple"):
        import_checkpoint(store, str(tmp_path), "heads")


# --- trim and extend


def test_texts_of_the_same_name_are_told_apart(store: ArtifactStore, tmp_path: Path) -> None:
    texts = [tmp_path / "a" / "text", tmp_path / "b" / "text"]
    for path in texts:
        path.parent.mkdir()
        path.write_text("The old house")
    first = trim_checkpoint(store, "outside", "same", "mine", (), texts)
    texts[0].write_text("The quiet river")
    assert trim_checkpoint(store, "outside", "same", "mine", (), texts) != first


def test_a_trimmed_checkpoint_cuts_the_text_that_it_was_trimmed_to_as_before(store: ArtifactStore) -> None:
    uri = trim_checkpoint(store, "outside", "small", "mine", ("de",), ())
    counts = store.manifest(uri).counts
    before, after = (Vocabulary.load(opened(store, name)[PIECES]) for name in ("outside", "small"))
    assert counts["kept_ids"] == counts["ids"] == len(after) < len(before) == counts["old_ids"]
    pieces = [[piece.text for piece in read_pieces(one.model.read_bytes())] for one in (before, after)]
    for text in TEXTS["de"]:
        cut = [[names[i - 1] for i in one.encode(text)] for one, names in zip((before, after), pieces, strict=True)]
        assert cut[0] == cut[1]


def test_text_files_say_what_to_keep_too(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("\n".join(TEXTS["en"]))
    uri = trim_checkpoint(store, "outside", "english", "", (), (tmp_path / "text",))
    manifest = store.manifest(uri)
    assert manifest.counts["ids"] < manifest.counts["old_ids"]
    assert list(manifest.config["text_digests"]) == ["text"]


def test_an_extended_checkpoint_keeps_its_ids_and_tells_what_old_text_it_cuts_anew(store: ArtifactStore) -> None:
    config = ExtendConfig(languages=("sw",), pieces=80, sample_characters=10_000)
    uri = extend_checkpoint(store, "outside", "wider", "mine", config)
    old, new = (read_pieces(opened(store, name)[PIECES].read_bytes()) for name in ("outside", "wider"))
    assert new[: len(old)] == old
    assert len(new) > len(old)
    told = json.loads(opened(store, "wider")[EXTENSION].read_text())
    assert {language: row["lines"] for language, row in told["old_languages"].items()} == {
        language: len(TEXTS[language]) for language in ("de", "en")
    }
    before, after = (Vocabulary.load(opened(store, name)[PIECES]) for name in ("outside", "wider"))
    changed = sum(before.encode(text) != after.encode(text) for text in TEXTS["en"])
    assert told["old_languages"]["en"]["lines_cut_anew"] == changed
    assert store.manifest(uri).counts["ids"] == len(after)
    assert sum(map(len, map(after.encode, TEXTS["sw"]))) < sum(map(len, map(before.encode, TEXTS["sw"])))


# --- what builds on them


def test_a_run_goes_on_from_a_checkpoint_with_its_vocabulary_on_the_release_that_is_named(store: ArtifactStore) -> None:
    settings = PRETRAIN.settings.parse(SETTINGS | {"start_from": "outside", "training_release": "mine"})
    plan = make_plan(PRETRAIN, settings, Deployment(), store, named_manifests(PRETRAIN, settings, Deployment(), store))
    outside, release = checkpoint_key(store, "outside"), current(store, "release", "mine")
    assert outside in plan.work("encode", "en/00000-of-00001").inputs
    assert {outside, release} < set(plan.work("pretrain", "outside-mine").inputs)
    assert plan.last.unit == "outside-mine"


def test_an_imported_vocabulary_wants_a_release(store: ArtifactStore, folder: Path) -> None:
    import_vocabulary(store, folder / PIECES, "pieces")
    settings = PRETRAIN.settings.parse(SETTINGS | {"vocabulary": "pieces"})
    with pytest.raises(BadConfig, match="say which one to train on with training_release"):
        named_manifests(PRETRAIN, settings, Deployment(), store)
    settings = PRETRAIN.settings.parse(SETTINGS | {"vocabulary": "pieces", "training_release": "mine"})
    plan = make_plan(PRETRAIN, settings, Deployment(), store, named_manifests(PRETRAIN, settings, Deployment(), store))
    assert current(store, "vocabulary", "pieces") in plan.work("encode", "sw/00000-of-00001").inputs


def test_a_vocabulary_is_measured_on_lines_that_it_was_not_trained_on(store: ArtifactStore, folder: Path) -> None:
    values = {"release": "mine", "vocabulary_size": 200, "sample_characters": 10_000}
    settings = VOCABULARY.settings.parse(values)
    plan = make_plan(
        VOCABULARY, settings, Deployment(), store, named_manifests(VOCABULARY, settings, Deployment(), store)
    )
    for work in plan.works():
        run_work(work, store.root)
    found = fertility_of(store, "mine", "")
    assert set(found) == {"de", "en", "sw"}
    for row in found.values():
        assert row["held_out"]
        assert row["tokens_per_character"] == pytest.approx(row["tokens"] / row["characters"], abs=1e-4)
        assert 1 < row["tokens_per_word"] < 12
    import_vocabulary(store, folder / PIECES, "unmeasured")
    with pytest.raises(BadConfig, match="name a --release to measure it on"):
        fertility_of(store, "unmeasured", "")
    assert fertility_of(store, "unmeasured", "mine")["en"]["lines"] == len(TEXTS["en"])
    said = CliRunner().invoke(xlmr, ["fertility", "mine", "--store", store.root])
    assert "tokens/word" in said.output


@pytest.mark.slow
def test_a_run_leaves_milestones_and_metrics_that_stand_while_it_goes_on(store: ArtifactStore) -> None:
    more = {"milestone_steps": 4, "validation_blocks": 4, "validate_first": True, "validation_steps": 4}
    values = SETTINGS | more | {"start_from": "outside", "training_release": "mine", "model_name": "continued"}
    settings = PRETRAIN.settings.parse(values)
    plan = make_plan(PRETRAIN, settings, Deployment(), store, named_manifests(PRETRAIN, settings, Deployment(), store))
    for work in plan.works():
        run_work(work, store.root)
    first, last = (opened(store, name)["model.safetensors"].read_bytes() for name in ("continued@4", "continued@8"))
    assert first != last == opened(store, "continued")["model.safetensors"].read_bytes()
    with pytest.raises(MissingArtifact):
        checkpoint_key(store, "continued@6")
    live = [key for key in store.list("metrics/pretrain/continued-")]
    assert [key.rsplit("/", 1)[1] for key in live] == ["events.out.tfevents.live", "metrics.jsonl", "validation.jsonl"]
    validations = [json.loads(line) for line in store.get(live[2]).decode().splitlines()]
    assert [row["step"] for row in validations] == [0, 4, 8]
    assert json.loads(store.get(live[1]).decode().splitlines()[-1])["tokens_per_s"] > 0

    evaluation = EVALUATE.settings.parse({"checkpoint": "continued@4", "benchmarks": ["xnli"]})
    ingested = put(store, "ingest", "benchmarks", {})
    named = named_manifests(EVALUATE, evaluation, Deployment(), store)
    chosen = make_plan(EVALUATE, evaluation, Deployment(benchmark_data="benchmarks"), store, (*named, ingested))
    assert current(store, "checkpoint", "continued@4") in chosen.work("evaluate", "xnli/seed-1").inputs
    assert chosen.last.unit == "continued@4"


def test_the_name_of_a_milestone_stands_for_one_of_a_run(store: ArtifactStore) -> None:
    key = current(store, "checkpoint", "outside")
    set_current(store, "checkpoint", "outside@12", key)
    assert checkpoint_key(store, "outside@12") == checkpoint_key(store, store.uri(key)) == key
    with pytest.raises(BadConfig, match="wanted a checkpoint, a manifest of export"):
        checkpoint_key(store, current(store, "release", "mine"))


def test_a_recipe_sets_sizes_and_schedule_and_single_settings_win() -> None:
    config = stages.load("pretrain").parse({"model": "width-960", "recipe_settings": True, "processes": 8})
    dumped = config.model_dump()
    assert (dumped["batch_blocks"], dumped["steps"], dumped["block_tokens"]) == (2048, 150_000, 512)
    assert "recipe_settings" not in dumped
    assert "micro_batch_blocks" not in dumped
