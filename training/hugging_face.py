"""Our weights and sizes under Hugging Face's names for XLM-RoBERTa, both ways and bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from training.ids import BOS, EOS, PAD
from training.sizes import EncoderConfig

# Our names of a layer's parts and theirs.
LAYER_NAMES = {
    "query_key_value": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attended": ("attention.output.dense",),
    "attended_norm": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "down_norm": ("output.LayerNorm",),
}
OTHER_NAMES = {
    "encoder.words.weight": "roberta.embeddings.word_embeddings.weight",
    "encoder.positions.weight": "roberta.embeddings.position_embeddings.weight",
    "encoder.token_type": "roberta.embeddings.token_type_embeddings.weight",
    "encoder.norm.weight": "roberta.embeddings.LayerNorm.weight",
    "encoder.norm.bias": "roberta.embeddings.LayerNorm.bias",
    "dense.weight": "lm_head.dense.weight",
    "dense.bias": "lm_head.dense.bias",
    "norm.weight": "lm_head.layer_norm.weight",
    "norm.bias": "lm_head.layer_norm.bias",
    "bias": "lm_head.bias",
}
# What a file may hold besides: copies of the tied matrix, a table of numbers, a part that pretraining does not train.
NOT_NEEDED = ("lm_head.decoder.", "roberta.embeddings.position_ids", "roberta.pooler.", "pooler.")
TRAINED_TOKENS = "trained_tokens"  # ours, beside their keys, which they keep
SMALLEST = {"vocab_size": 6, "hidden_size": 1, "num_hidden_layers": 1, "num_attention_heads": 1,
            "intermediate_size": 1, "max_position_embeddings": PAD + 2, TRAINED_TOKENS: 0}  # fmt: skip


def their_names(name: str) -> tuple[str, ...]:
    """Their names of what one of our parameters holds, stacked along its first dimension."""
    if name.startswith("encoder.layers."):
        _, _, index, part, kind = name.split(".")
        return tuple(f"roberta.encoder.layer.{index}.{theirs}.{kind}" for theirs in LAYER_NAMES[part])
    return (OTHER_NAMES[name],)


def to_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their state dict of our model's."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        names = their_names(name)
        pieces = tensor.detach().cpu().chunk(len(names))
        found |= {theirs: piece.clone() for theirs, piece in zip(names, pieces, strict=True)}
    return dict(sorted(found.items()))


def from_hugging_face(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Our parameters `names` from their state dict, as float32.

    Raises ValueError where one is missing, or where theirs hold something that would be lost.
    """
    if not any(name.startswith("roberta.") for name in state):  # XLMRobertaModel saves its parts without the prefix
        state = {name if name.startswith("lm_head.") else f"roberta.{name}": tensor for name, tensor in state.items()}
    wanted = {name: their_names(name) for name in names}
    missing = sorted(theirs for all_theirs in wanted.values() for theirs in all_theirs if theirs not in state)
    if missing:
        raise ValueError(f"no {', '.join(missing[:3])} among its {len(state)} weights: wanted a masked language model")
    used = {theirs for all_theirs in wanted.values() for theirs in all_theirs} | set(OTHER_NAMES.values())
    lost = sorted(name for name in state if name not in used and not name.startswith(NOT_NEEDED))
    if lost:
        raise ValueError(f"its weight {lost[0]} has no place in an XLM-R encoder ({len(lost)} such)")
    for copy, name in (("lm_head.decoder.weight", "encoder.words.weight"), ("lm_head.decoder.bias", "bias")):
        if name in wanted and copy in state and not torch.equal(state[copy], state[OTHER_NAMES[name]]):
            raise ValueError(f"{copy} differs from {OTHER_NAMES[name]}: wanted tied ones, as XLM-R has")
    return {name: torch.cat([state[theirs].float() for theirs in all_theirs]) for name, all_theirs in wanted.items()}


def to_their_config(config: EncoderConfig) -> dict[str, Any]:
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
        TRAINED_TOKENS: config.usable_tokens,
    }


def from_their_config(stated: Mapping[str, Any]) -> EncoderConfig:
    """Sizes from a config.json.  Raises ValueError where it describes another architecture."""
    expected = {"model_type": "xlm-roberta", "hidden_act": "gelu", "type_vocab_size": 1, "pad_token_id": PAD,
                "position_embedding_type": "absolute", "tie_word_embeddings": True}  # fmt: skip
    assumed = {"hidden_act": "gelu", "position_embedding_type": "absolute", "tie_word_embeddings": True,
               "pad_token_id": PAD, "hidden_dropout_prob": 0.1}  # fmt: skip
    if not isinstance(stated, Mapping):
        raise ValueError(f"config.json: {type(stated).__name__}: wanted an object")
    values: dict[str, Any] = assumed | {TRAINED_TOKENS: 0} | dict(stated)
    for name, wanted in expected.items():
        if values.get(name) != wanted:
            raise ValueError(f"config.json: {name} is {values.get(name)!r}, XLM-R has {wanted!r}")
    _check_sizes(values)
    max_tokens = values["max_position_embeddings"] - PAD - 1
    return EncoderConfig(
        vocabulary_size=values["vocab_size"],
        hidden=values["hidden_size"],
        layers=values["num_hidden_layers"],
        heads=values["num_attention_heads"],
        feed_forward=values["intermediate_size"],
        max_tokens=max_tokens,
        dropout=values["hidden_dropout_prob"],
        norm_epsilon=values["layer_norm_eps"],
        trained_tokens=min(values[TRAINED_TOKENS], max_tokens),
    )


def _check_sizes(values: Mapping[str, Any]) -> None:
    """Raises ValueError where a size is missing or can be none."""
    if missing := [name for name in (*SMALLEST, "layer_norm_eps") if name not in values]:
        raise ValueError(f"config.json: no {', '.join(missing)}: wanted the sizes of an XLM-R encoder")
    for name, least in SMALLEST.items():
        if type(values[name]) is not int or values[name] < least:
            raise ValueError(f"config.json: {name} is {values[name]!r}: wanted a whole number from {least} on")
    for name in ("layer_norm_eps", "hidden_dropout_prob"):
        if type(values[name]) not in (int, float) or not 0 <= values[name] < 1:
            raise ValueError(f"config.json: {name} is {values[name]!r}: wanted a number from 0 to below 1")
    if values["hidden_size"] % values["num_attention_heads"]:
        raise ValueError(f"config.json: hidden_size {values['hidden_size']} is no multiple of num_attention_heads "
                         f"{values['num_attention_heads']}")  # fmt: skip
