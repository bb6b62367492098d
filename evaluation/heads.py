"""Linear heads on an encoder: classes, a number, one of several answers, tags, the two ends of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.benchmark import Benchmark
from evaluation.encoders import LoadedEncoder
from evaluation.features import ANSWERS, IGNORED

# B batch, T tokens, D hidden, C classes


@dataclass(frozen=True, slots=True)
class Batch:
    """`mask_BT` is None where no row is padded, `types_BT` where all are 0."""

    ids_BT: Tensor
    target: Tensor
    mask_BT: Tensor | None = None
    types_BT: Tensor | None = None


class Head(nn.Module):
    """The encoder with a new output layer; RoBERTa's classification head where a row has one answer."""

    def __init__(self, encoder: LoadedEncoder, benchmark: Benchmark) -> None:
        super().__init__()
        self.encoder = encoder.model
        self.task = benchmark.task
        one = benchmark.task in ("classification", "regression", "choice")
        classes = {"regression": 1, "choice": 1, "span": 2}.get(benchmark.task, len(benchmark.labels))
        self.dense = nn.Linear(encoder.hidden, encoder.hidden) if one else None
        self.out = nn.Linear(encoder.hidden, classes)
        self.dropout = nn.Dropout(encoder.dropout)
        for layer in (self.dense, self.out):
            if layer is not None:
                nn.init.normal_(layer.weight, 0.0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Tensor:
        """logits: (B, C), with C 1 for a number, (B / 4, 4) for a choice, (B, T, C) for tags, (B, T, 2) for answers."""
        given = (batch.ids_BT, batch.mask_BT, batch.types_BT)
        if self.dense is None:
            return cast(Tensor, self.out(self.dropout(self.encoder(*given))))
        first_BD: Tensor = self.encoder.first(*given)  # type: ignore[operator]
        hidden_BD = torch.tanh(self.dense(self.dropout(first_BD)))
        logits_BC = cast(Tensor, self.out(self.dropout(hidden_BD)))
        return logits_BC.view(-1, ANSWERS) if self.task == "choice" else logits_BC

    def loss(self, batch: Batch) -> Tensor:
        logits = self(batch).float()
        if self.task == "classification":
            return functional.cross_entropy(logits, batch.target[:, 0])
        if self.task == "regression":
            return functional.mse_loss(logits[:, 0], batch.target[:, 0])
        if self.task == "choice":
            return functional.cross_entropy(logits, batch.target[::ANSWERS, 0])
        if self.task == "tagging":
            return functional.cross_entropy(logits.flatten(0, 1), batch.target.flatten(), ignore_index=IGNORED)
        if batch.mask_BT is not None:
            logits = logits.masked_fill(~batch.mask_BT[..., None], torch.finfo(logits.dtype).min)
        start = functional.cross_entropy(logits[..., 0], batch.target[:, 0])
        return (start + functional.cross_entropy(logits[..., 1], batch.target[:, 1])) / 2
