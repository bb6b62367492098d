"""Folders in XLM-R's format that are damaged, malicious, or of something else: one line each, nothing else happens."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from training.export import THEIR_CONFIG, WEIGHTS, load_checkpoint, load_encoder, save_hugging_face
from training.model import MaskedLanguageModel
from training.sizes import EncoderConfig

SIZES = EncoderConfig(20, hidden=8, layers=1, heads=2, feed_forward=16, max_tokens=8)
DECODER_BIAS = "lm_head.decoder.bias"


class Command:
    """A pickle of it runs a command when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_hugging_face(MaskedLanguageModel(SIZES), SIZES, tmp_path)
    return tmp_path


def with_binary(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(content)


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def with_index(folder: Path, text: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(text)


def other_bias(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file(weights | {DECODER_BIAS: weights["lm_head.bias"] + 1}, folder / WEIGHTS)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an empty .bin": (lambda folder: with_binary(folder, b""), "EOFError.*wanted a file of weights"),
    "a .bin of text": (lambda folder: with_binary(folder, b"hello world"), "wanted a file of weights"),
    "a list": (lambda folder: with_binary(folder, saved([1])), "does not hold tensors by their names"),
    "no tensors": (lambda folder: with_binary(folder, saved({"a": 1})), "does not hold tensors by their names"),
    "an index without a map": (lambda folder: with_index(folder, "{}"), "KeyError.*wanted an index"),
    "an index of numbers": (lambda folder: with_index(folder, '{"weight_map": {"a": 5}}'), "wanted an index"),
    "a bias of the head's copy": (other_bias, "lm_head.decoder.bias differs from lm_head.bias"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_holds_something_else_is_refused_in_one_line(folder: Path, fault: str) -> None:
    spoil, said = FAULTS[fault]
    spoil(folder)
    with pytest.raises(ValueError, match=said) as refused:
        load_checkpoint(folder)
    assert "\n" not in str(refused.value)


def test_code_in_a_file_of_weights_is_not_run(folder: Path) -> None:
    for content in (pickle.dumps(Command(folder / "run"), 2), saved({"a": Command(folder / "run")})):
        (folder / WEIGHTS).touch()
        with_binary(folder, content)
        with pytest.raises(ValueError, match="wanted a file of weights, without code"):
            load_checkpoint(folder)
        with pytest.raises(ValueError, match="wanted a file of weights, without code"):
            load_encoder(folder)
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("vocab_size", "20", "vocab_size is '20': wanted a whole number from 6 on"),
        ("hidden_size", None, "hidden_size is None: wanted a whole number"),
        ("num_attention_heads", 0, "num_attention_heads is 0: wanted a whole number"),
        ("num_attention_heads", 3, "hidden_size 8 is no multiple of num_attention_heads 3"),
        ("max_position_embeddings", 1, "max_position_embeddings is 1: wanted a whole number from 3 on"),
        ("layer_norm_eps", -1, "layer_norm_eps is -1: wanted a number from 0 to below 1"),
        ("hidden_dropout_prob", "0.1", "hidden_dropout_prob is '0.1': wanted a number"),
        ("trained_tokens", -5, "trained_tokens is -5: wanted a whole number from 0 on"),
        ("max_position_embeddings", 99, "size mismatch"),
    ],
)
@pytest.mark.parametrize("load", [load_checkpoint, load_encoder])
def test_a_size_that_can_be_none_is_named(
    folder: Path, load: Callable[[Path], object], name: str, value: object, said: str
) -> None:
    config = json.loads((folder / THEIR_CONFIG).read_text())
    (folder / THEIR_CONFIG).write_text(json.dumps(config | {name: value}))
    with pytest.raises(ValueError, match=said):
        load(folder)


def test_no_more_positions_were_trained_than_there_are(folder: Path) -> None:
    config = json.loads((folder / THEIR_CONFIG).read_text())
    (folder / THEIR_CONFIG).write_text(json.dumps(config | {"trained_tokens": 1_000_000}))
    assert load_checkpoint(folder)[1].usable_tokens == 8


@pytest.mark.parametrize("text", ["{", "[]", '{"sizes": 1}'])
def test_a_final_folder_with_other_sizes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "encoder.json").write_text(text)
    with pytest.raises(ValueError, match="wanted a run's `final` folder"):
        load_checkpoint(tmp_path)
