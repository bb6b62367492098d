"""Retrieval without fine-tuning: sentences as means of a hidden layer, translations by the highest cosine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from evaluation.batches import collate, prediction_order
from evaluation.encoders import LoadedEncoder
from evaluation.features import Feature
from evaluation.records import Example, Parts, Translated
from evaluation.settings import FinetuneConfig
from evaluation.tuning import DivergedError

# N sentences, B batch, T tokens, D hidden

COMPARED_TOGETHER = 1024


def layer_of(encoder: LoadedEncoder, share: float) -> tuple[int, int]:
    """(layer, number of layers) at a share of the depth; 0 are the embeddings."""
    depth = len(_hidden_layers(encoder, torch.tensor([[encoder.tokenizer.unknown]], device=_device(encoder)))) - 1
    return round(share * depth), depth


@torch.no_grad()
def _hidden_layers(encoder: LoadedEncoder, ids_BT: Tensor) -> list[Tensor]:
    encoder.model.eval()
    return encoder.model.layers(ids_BT, None, None)  # type: ignore[operator,no-any-return]


def _device(encoder: LoadedEncoder) -> torch.device:
    return next(encoder.model.parameters()).device


def retrieve(encoder: LoadedEncoder, test: Parts, config: FinetuneConfig, max_tokens: int) -> dict[str, list[object]]:
    """For each sentence the place of the nearest translation, from 0.  Raises DivergedError."""
    layer, _ = layer_of(encoder, config.layer_share)
    found: dict[str, list[object]] = {}
    for name, examples in test.items():
        texts, translations = _sides(examples)
        ours_ND, theirs_ND = (embed(encoder, side, layer, config.batch, max_tokens) for side in (texts, translations))
        found[name] = [
            int(place)
            for start in range(0, len(ours_ND), COMPARED_TOGETHER)
            for place in (ours_ND[start : start + COMPARED_TOGETHER] @ theirs_ND.T).argmax(1)
        ]
    return found


def _sides(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    pairs = [example for example in examples if isinstance(example, Translated)]
    return [pair.text for pair in pairs], [pair.translation for pair in pairs]


@torch.no_grad()
def embed(encoder: LoadedEncoder, texts: Sequence[str], layer: int, batch: int, max_tokens: int) -> Tensor:
    """(N, D) of length 1: the mean over all tokens of a row, special ones among them (as XTREME)."""
    encoder.model.eval()
    frame = encoder.tokenizer.single
    ids = [frame.join(pieces[: max_tokens - frame.size]) for pieces in encoder.tokenizer.encode(texts)]
    rows = [Feature(index, row, (0,)) for index, row in enumerate(ids)]
    lengths = [len(row.ids) for row in rows]
    vectors: list[Tensor] = [torch.empty(0)] * len(rows)
    for places in prediction_order(lengths, batch * 64):
        made = collate([rows[place] for place in places], encoder.tokenizer.pad, _device(encoder), real=False)
        hidden_BTD = encoder.model.layers(made.ids_BT, made.mask_BT, None)[layer].float()  # type: ignore[operator]
        if not bool(torch.isfinite(hidden_BTD).all()):
            raise DivergedError("retrieval: the hidden states are not finite: this model has no score")
        real_BT1 = torch.ones_like(hidden_BTD[..., :1]) if made.mask_BT is None else made.mask_BT[..., None].float()
        mean_BD = (hidden_BTD * real_BT1).sum(1) / real_BT1.sum(1)
        for place, vector_D in zip(places, functional.normalize(mean_BD, dim=-1).cpu(), strict=True):
            vectors[place] = vector_D
    return torch.stack(vectors)
