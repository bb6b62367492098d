"""Adam with decoupled decay as fairseq runs it, and the learning rate over a run.

XLM-R's peak, warm-up and decay are not published; these are RoBERTa's, and all parameters decay, as in fairseq.
"""

from __future__ import annotations

import torch
from torch import nn


def make_optimizer(
    model: nn.Module, betas: tuple[float, float], epsilon: float, weight_decay: float
) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad],
        lr=0.0,
        betas=betas,
        eps=epsilon,
        weight_decay=weight_decay,
        fused=True,
    )


def learning_rate(step: int, peak: float, warmup_steps: int, steps: int) -> float:
    """Rate of update `step` (from 0): linear up to `peak`, then linear down to 0 at `steps`."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * (steps - step) / max(1, steps - warmup_steps)
