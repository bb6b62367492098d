"""Checkpoints as files that others read: our own `final` folder, and Hugging Face's XLM-RoBERTa folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.model import Encoder, EncoderConfig, MaskedLanguageModel
from training.vocabulary import BOS, EOS, PAD, Vocabulary

WEIGHTS, CONFIG, PIECES = "model.safetensors", "encoder.json", "sentencepiece.bpe.model"
# Our names of a layer's parts and Hugging Face's.
LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "down_norm": "output.LayerNorm",
}
OTHER_NAMES = {
    "encoder.words.weight": "roberta.embeddings.word_embeddings.weight",
    "encoder.positions.weight": "roberta.embeddings.position_embeddings.weight",
    "encoder.norm.weight": "roberta.embeddings.LayerNorm.weight",
    "encoder.norm.bias": "roberta.embeddings.LayerNorm.bias",
    "dense.weight": "lm_head.dense.weight",
    "dense.bias": "lm_head.dense.bias",
    "norm.weight": "lm_head.layer_norm.weight",
    "norm.bias": "lm_head.layer_norm.bias",
    "bias": "lm_head.bias",
}
# Written by transformers 5 and not read by 4.
NEW_TOKENIZER_KEYS = ("extra_special_tokens", "unk_id", "backend", "is_local", "local_files_only")


def save_final(model: MaskedLanguageModel, config: EncoderConfig, folder: Path) -> None:
    """Weights and sizes, the same bytes for the same model; the folder appears whole."""
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(model.state_dict().items())}
    save_file(tensors, aside / WEIGHTS, metadata={"format": "pt"})
    (aside / CONFIG).write_text(json.dumps(asdict(config), indent=1, sort_keys=True) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)


def load_final(folder: Path) -> tuple[MaskedLanguageModel, EncoderConfig]:
    config = EncoderConfig(**json.loads((folder / CONFIG).read_text()))
    model = MaskedLanguageModel(config)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model, config


def hugging_face_name(name: str) -> str:
    """Hugging Face's name of one of our parameters."""
    if name.startswith("encoder.layers."):
        _, _, index, part, kind = name.split(".")
        return f"roberta.encoder.layer.{index}.{LAYER_NAMES[part]}.{kind}"
    return OTHER_NAMES[name]


def export_hugging_face(final: Path, vocabulary: Path, output: Path) -> None:
    """Write a folder that AutoModelForMaskedLM and AutoTokenizer load, with logits and ids equal to ours.

    Raises ValueError where the vocabulary and the model differ in size.
    """
    model, config = load_final(final)
    size = len(Vocabulary.load(vocabulary))
    if size != config.vocabulary_size:
        raise ValueError(f"{vocabulary}: {size} ids, the model has {config.vocabulary_size}: pass its own vocabulary")
    output.mkdir(parents=True, exist_ok=True)
    tensors = {hugging_face_name(name): tensor.contiguous() for name, tensor in model.state_dict().items()}
    # Our model has no token types; where the row is missing, transformers fills it with noise.
    tensors["roberta.embeddings.token_type_embeddings.weight"] = torch.zeros(1, config.hidden)
    save_file({name: tensors[name] for name in sorted(tensors)}, output / WEIGHTS, metadata={"format": "pt"})
    _write_json(output / "config.json", _hugging_face_config(config))
    if vocabulary.resolve() != (output / PIECES).resolve():
        shutil.copyfile(vocabulary, output / PIECES)
    _write_tokenizer(output, config, size)


def _hugging_face_config(config: EncoderConfig) -> dict[str, Any]:
    """Every key explicit: a missing layer_norm_eps would be read as 1e-12 without a word."""
    return {
        "architectures": ["XLMRobertaForMaskedLM"],
        "model_type": "xlm-roberta",
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.feed_forward,
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "max_position_embeddings": config.positions,
        "type_vocab_size": 1,
        "layer_norm_eps": config.norm_epsilon,
        "initializer_range": 0.02,
        "bos_token_id": BOS,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def _write_tokenizer(folder: Path, config: EncoderConfig, size: int) -> None:
    from transformers import XLMRobertaTokenizer

    # Only from_pretrained on a folder reads the model; the constructor silently gives five tokens.
    tokenizer = XLMRobertaTokenizer.from_pretrained(str(folder), model_max_length=config.max_tokens)
    if len(tokenizer) != size:
        raise ValueError(f"{folder}: the tokenizer has {len(tokenizer)} ids, the vocabulary {size}")
    tokenizer.save_pretrained(str(folder))
    path = folder / "tokenizer_config.json"
    kept = json.loads(path.read_text())
    _write_json(path, {name: value for name, value in kept.items() if name not in NEW_TOKENIZER_KEYS})


def load_encoder(folder: Path) -> tuple[Encoder, EncoderConfig]:
    """The encoder of an exported folder, without the masked-LM head (for fine-tuning)."""
    stated = json.loads((folder / "config.json").read_text())
    config = EncoderConfig(
        vocabulary_size=stated["vocab_size"],
        hidden=stated["hidden_size"],
        layers=stated["num_hidden_layers"],
        heads=stated["num_attention_heads"],
        feed_forward=stated["intermediate_size"],
        max_tokens=stated["max_position_embeddings"] - PAD - 1,
        dropout=stated["hidden_dropout_prob"],
        norm_epsilon=stated["layer_norm_eps"],
    )
    encoder = Encoder(config)
    found: dict[str, Tensor] = load_file(folder / WEIGHTS)
    encoder.load_state_dict({name: found[hugging_face_name(f"encoder.{name}")] for name in encoder.state_dict()})
    return encoder, config


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
