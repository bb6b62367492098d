"""Checkpoints from elsewhere, and checkpoints with other vocabularies."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.runs import TEXTS, losses, train_here
from training.export import export_hugging_face, load_checkpoint, load_encoder, save_final, save_hugging_face
from training.extend import extend, lines_cut_anew
from training.model import MaskedLanguageModel
from training.sizes import xlmr_tiny
from training.trim import trim, used_pieces
from training.vocabulary import PIECES, Vocabulary, sample_lines, train_on_samples


@pytest.fixture(scope="module")
def ours(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in XLM-R's format with weights that are all different."""
    folder = tmp_path_factory.mktemp("ours")
    torch.manual_seed(1)
    model = MaskedLanguageModel(xlmr_tiny(len(vocabulary)))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    save_final(model, model.encoder.config, folder / "final")
    export_hugging_face(folder / "final", vocabulary.model, folder / "model")
    return folder / "model"


# --- import


@pytest.mark.parametrize("form", ["safetensors", "bin", "several", "without a prefix", "with copies"])
def test_a_checkpoint_comes_back_to_the_bit(ours: Path, tmp_path: Path, form: str) -> None:
    tensors = load_file(ours / "model.safetensors")
    (tmp_path / "config.json").write_bytes((ours / "config.json").read_bytes())
    if form == "safetensors":
        save_file(tensors, tmp_path / "model.safetensors")
    elif form == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    elif form == "several":
        places = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(tensors)}
        for part in set(places.values()):
            save_file({name: tensors[name] for name in tensors if places[name] == part}, tmp_path / part)
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    elif form == "without a prefix":
        save_file({name.removeprefix("roberta."): t for name, t in tensors.items()}, tmp_path / "model.safetensors")
    else:
        more = {"lm_head.decoder.weight": tensors["roberta.embeddings.word_embeddings.weight"].clone(),
                "lm_head.decoder.bias": tensors["lm_head.bias"].clone(),
                "roberta.embeddings.position_ids": torch.arange(514)[None],
                "roberta.pooler.dense.weight": torch.ones(2, 2)}  # fmt: skip
        save_file(tensors | more, tmp_path / "model.safetensors")
    model, config = load_checkpoint(tmp_path)
    save_hugging_face(model, config, tmp_path / "again")
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (ours / "model.safetensors").read_bytes()
    assert (tmp_path / "again" / "config.json").read_bytes() == (ours / "config.json").read_bytes()


def test_hugging_faces_own_checkpoint_is_read_with_equal_logits(tmp_path: Path) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    config = XLMRobertaConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                              intermediate_size=64, max_position_embeddings=40, type_vocab_size=1, layer_norm_eps=1e-5,
                              bos_token_id=0, pad_token_id=1, eos_token_id=2)  # fmt: skip
    torch.manual_seed(1)
    theirs = XLMRobertaForMaskedLM(config).eval()  # its row of token types is not zero
    theirs.save_pretrained(tmp_path)
    model, sizes = load_checkpoint(tmp_path)
    assert sizes.max_tokens == sizes.usable_tokens == 38
    ids = torch.randint(4, 60, (2, 20))
    with torch.no_grad():
        found = model.eval().head(model.encoder(ids))
        torch.testing.assert_close(found, theirs(ids).logits, atol=1e-5, rtol=0)


WRONG = {
    "another kind of model": ({"model_type": "bert"}, "model_type is 'bert', XLM-R has 'xlm-roberta'"),
    "another activation": ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
    "no epsilon": ({"layer_norm_eps": None}, "no layer_norm_eps"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_another_architecture_is_refused_in_one_line(ours: Path, tmp_path: Path, fault: str) -> None:
    change, said = WRONG[fault]
    config = json.loads((ours / "config.json").read_text()) | change
    config = {name: value for name, value in config.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=said):
        load_checkpoint(tmp_path)


def test_a_checkpoint_with_other_weights_is_refused(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((ours / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_checkpoint(tmp_path)
    tensors = load_file(ours / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if name != "lm_head.bias"}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"no lm_head\.bias among its \d+ weights: wanted a masked language model"):
        load_checkpoint(tmp_path)
    save_file(tensors | {"adapter.weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"its weight adapter\.weight has no place"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="wanted a file of weights"):
        load_checkpoint(tmp_path)


@pytest.mark.usefixtures("signals")
def test_pretraining_goes_on_from_a_checkpoint(
    ours: Path, settings: dict[str, object], tmp_path: Path, vocabulary: Vocabulary
) -> None:
    first = train_here(settings | {"steps": 60, "peak_learning_rate": 3e-3}, tmp_path / "first")
    export_hugging_face(first / "final", vocabulary.model, tmp_path / "exported")
    chosen = settings | {"start_from": str(tmp_path / "exported"), "peak_learning_rate": 1e-4}
    assert losses(train_here(chosen, tmp_path / "second"))[0] < losses(first)[0] - 0.3
    unlike = settings | {"start_from": str(ours), "block_tokens": 16, "vocabulary": str(vocabulary.model)}
    (tmp_path / "small").mkdir()
    sample_lines(TEXTS["en"], 1.0, "", tmp_path / "lines.txt")
    train_on_samples([tmp_path / "lines.txt"], tmp_path / "small" / "model", size=30)
    with pytest.raises(ValueError, match="ids, the vocabulary has"):
        train_here(unlike | {"vocabulary": str(tmp_path / "small" / "model")}, tmp_path / "third")


# --- trim


def test_a_trimmed_model_gives_the_same_outputs_on_what_it_keeps(
    ours: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    found = trim(ours, vocabulary.model, used_pieces(TEXTS["sw"], vocabulary), tmp_path / "sw")
    small = Vocabulary.load(tmp_path / "sw" / PIECES)
    assert found.ids == len(small) < len(vocabulary) == found.old_ids
    assert found.rows[:4] == (0, 1, 2, 3)
    assert found.rows[-1] == vocabulary.mask_id
    before, (after, config) = load_checkpoint(ours)[0], load_checkpoint(tmp_path / "sw")
    assert config.vocabulary_size == found.ids
    assert found.old_parameters - found.parameters == (found.old_ids - found.ids) * (config.hidden + 1)
    rows = torch.tensor(found.rows)
    for text in TEXTS["sw"]:
        old, new = torch.tensor([vocabulary.encode(text)]), torch.tensor([small.encode(text)])
        assert torch.equal(rows[new], old)
        with torch.no_grad():
            hidden = after.eval().encoder(new)
            assert torch.equal(hidden, before.eval().encoder(old))
            torch.testing.assert_close(after.head(hidden), before.head(hidden)[..., rows], rtol=0, atol=1e-5)


def test_rare_pieces_go_but_characters_stay(ours: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    counts = used_pieces(TEXTS["sw"], vocabulary)
    often = trim(ours, vocabulary.model, counts, tmp_path / "often", min_count=40)
    every = trim(ours, vocabulary.model, counts, tmp_path / "every")
    assert often.ids < every.ids
    small = Vocabulary.load(tmp_path / "often" / PIECES)
    assert all(3 not in small.encode(text) for text in TEXTS["sw"])  # <unk>
    with pytest.raises(ValueError, match=r"none of its .* pieces is used"):
        trim(ours, vocabulary.model, used_pieces([], vocabulary), tmp_path / "none")


# --- extend


@pytest.fixture(scope="module")
def addition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("addition")
    words = ("дім", "ліс", "небо", "вода", "поле", "ніч")
    sample_lines([f"{a} {b} {a}" for a in words for b in words], 1.0, "", folder / "lines.txt")
    train_on_samples([folder / "lines.txt"], folder / "model", size=30)
    return folder / "model"


def test_new_pieces_stand_behind_the_old_ones(
    ours: Path, vocabulary: Vocabulary, addition: Path, tmp_path: Path
) -> None:
    found = extend(ours, vocabulary.model, addition, tmp_path / "more")
    large = Vocabulary.load(tmp_path / "more" / PIECES)
    added = found.ids - found.old_ids
    assert found.rows == (*range(found.old_ids - 1), *[-1] * added, found.old_ids - 1)
    assert 3 in vocabulary.encode("дім")
    assert 3 not in large.encode("дім ліс")
    old_texts = [*TEXTS["en"], *TEXTS["sw"]]
    counts = lines_cut_anew(vocabulary, large, old_texts)
    assert counts == {"lines": 120 * 2 + 48, "lines_cut_anew": 0}
    before, after = load_checkpoint(ours)[0].eval(), load_checkpoint(tmp_path / "more")[0].eval()
    ids = torch.tensor([large.encode("The old house")])
    with torch.no_grad():
        assert torch.equal(after.encoder(ids), before.encoder(ids))


def test_a_new_row_begins_as_the_mean_of_what_it_replaces(ours: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    text = "▁house▁song"
    sample_lines(["housesong " * 5] * 20 + TEXTS["en"], 1.0, "", tmp_path / "lines.txt")
    train_on_samples([tmp_path / "lines.txt"], tmp_path / "model", size=40)
    found = extend(ours, vocabulary.model, tmp_path / "model", tmp_path / "more", penalty_nats=1.0)
    large = Vocabulary.load(tmp_path / "more" / PIECES)
    number = found.rows.index(-1)
    text = large._pieces.id_to_piece(number - 1).replace("\u2581", " ")
    old = vocabulary.encode(text)
    if not text.startswith(" ") and vocabulary._pieces.id_to_piece(old[0] - 1) == "\u2581":
        old = old[1:]
    before = load_checkpoint(ours)[0].encoder.words.weight
    after = load_checkpoint(tmp_path / "more")[0].encoder.words.weight
    torch.testing.assert_close(after[number], before[old].mean(0))


def test_nothing_new_is_nothing_to_add(ours: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to add"):
        extend(ours, vocabulary.model, vocabulary.model, tmp_path / "more")


def test_an_encoder_keeps_the_length_it_was_trained_on(ours: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    model = MaskedLanguageModel(xlmr_tiny(len(vocabulary)))
    config = model.encoder.config
    assert load_encoder(ours)[1].usable_tokens == 512
    from dataclasses import replace

    save_final(model, replace(config, trained_tokens=128), tmp_path / "final")
    export_hugging_face(tmp_path / "final", vocabulary.model, tmp_path / "model")
    assert load_encoder(tmp_path / "model")[1].usable_tokens == 128
    assert json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())["model_max_length"] == 128
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "model").iterdir() if path.name != PIECES}
    assert len(modes) == 1


def test_a_weight_that_is_not_finite_is_not_exported(vocabulary: Vocabulary, tmp_path: Path) -> None:
    model = MaskedLanguageModel(xlmr_tiny(len(vocabulary)))
    save_final(model, model.encoder.config, tmp_path / "final")
    tensors = load_file(tmp_path / "final" / "model.safetensors")
    tensors["dense.bias"][0] = np.nan
    save_file(tensors, tmp_path / "final" / "model.safetensors")
    with pytest.raises(ValueError, match=r"weight lm_head\.dense\.bias holds a number that is not finite"):
        export_hugging_face(tmp_path / "final", vocabulary.model, tmp_path / "model")
