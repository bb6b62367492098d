"""Cross entropy of a linear layer over a large vocabulary, with one buffer of logits instead of four."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.masking import IGNORED

# M masked tokens, D hidden, V vocabulary


def linear_cross_entropy(x_MD: Tensor, weight_VD: Tensor, bias_V: Tensor, targets_M: Tensor) -> Tensor:
    """loss_M, zero where the target is IGNORED."""
    on_cpu = x_MD.device.type == "cpu" and x_MD.dtype == weight_VD.dtype
    if on_cpu and not torch.compiler.is_compiling() and not torch.is_autocast_enabled("cpu"):
        loss_M: Tensor = _LinearCrossEntropy.apply(x_MD, weight_VD, bias_V, targets_M)  # type: ignore[no-untyped-call]
        return loss_M
    logits_MV = functional.linear(x_MD, weight_VD, bias_V)
    return functional.cross_entropy(logits_MV.float(), targets_M, ignore_index=IGNORED, reduction="none")


class _LinearCrossEntropy(torch.autograd.Function):
    """The logits' gradient is their softmax less one at the target; it takes the place of the logits."""

    @staticmethod
    def forward(ctx: Any, x_MD: Tensor, weight_VD: Tensor, bias_V: Tensor, targets_M: Tensor) -> Tensor:
        logits_MV = torch.addmm(bias_V, x_MD, weight_VD.t())
        used_M = targets_M != IGNORED
        at_M1 = torch.where(used_M, targets_M, 0)[:, None]
        normaliser_M1 = logits_MV.logsumexp(1, keepdim=True)
        loss_M = torch.where(used_M, (normaliser_M1 - logits_MV.gather(1, at_M1))[:, 0], 0.0)
        ctx.save_for_backward(x_MD, weight_VD, normaliser_M1, at_M1, used_M)
        ctx.logits_MV = logits_MV  # not an output, and changed in place below: nothing that autograd should guard
        return loss_M

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_MD, weight_VD, normaliser_M1, at_M1, used_M = ctx.saved_tensors
        slope_MV = ctx.logits_MV.sub_(normaliser_M1).exp_()
        del ctx.logits_MV
        slope_MV.scatter_add_(1, at_M1, torch.full_like(normaliser_M1, -1.0))
        scale_M1 = torch.where(used_M, gradients[0], 0.0)[:, None]
        # The scale goes to the small factor of each product, not to the large one.
        slope_x_MD = (slope_MV @ weight_VD).mul_(scale_M1)
        slope_weight_VD = slope_MV.t() @ (x_MD * scale_M1)
        return slope_x_MD, slope_weight_VD, slope_MV.t() @ scale_M1[:, 0], None
