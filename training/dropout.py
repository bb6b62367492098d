"""Dropout, with cheap random numbers on a CPU, where torch's own take a tenth of a small model's step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# B batch, H heads, P places that look, T tokens that are looked at, K head size
STEPS = 1 << 16  # a quarter of a 64-bit random number decides one value: rates are met to 1 in 65,536


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Each value is zero with probability `rate`, else scaled so that its mean stays."""
    if not training or rate == 0.0:
        return x
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.dropout(x, rate)
    dropped = round(rate * STEPS)
    bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None).view(torch.int16)
    kept = (bits[: x.numel()] >= dropped - STEPS // 2).view(x.shape)
    return x * kept.to(x.dtype).mul_(STEPS / (STEPS - dropped))


def attention(query_BHPK: Tensor, key_BHTK: Tensor, value_BHTK: Tensor, rate: float, training: bool) -> Tensor:
    """seen_BHPK: scaled dot products over all tokens, with dropout of their weights."""
    if not training or rate == 0.0 or query_BHPK.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.scaled_dot_product_attention(
            query_BHPK, key_BHTK, value_BHTK, dropout_p=rate if training else 0.0
        )
    # torch has no kernel with dropout for a CPU either: it computes the same products, with slower random numbers.
    scores_BHPT = (query_BHPK * query_BHPK.shape[-1] ** -0.5) @ key_BHTK.transpose(-1, -2)
    return dropout(scores_BHPT.softmax(-1), rate, training) @ value_BHTK
