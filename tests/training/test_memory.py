"""Computed memory beside what torch keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.memory import activation_bytes, memory_of
from training.model import Layer
from training.settings import PretrainSettings
from training.sizes import EncoderConfig, xlmr_base, xlmr_large

BLOCKS, TOKENS = 8, 64
RUN = PretrainSettings(Path("v"), {"en": (Path("b"),)}, Path("o"), batch_blocks=8192, micro_batch_blocks=32)


@pytest.mark.parametrize(("half", "size"), [(True, 2), (False, 4)])
def test_what_a_layer_keeps_is_what_is_computed_within_a_tenth(half: bool, size: int) -> None:
    config = EncoderConfig(100, hidden=64, layers=1, heads=4, feed_forward=256, max_tokens=TOKENS, dropout=0.0)
    layer = Layer(config)
    weights = {weight.untyped_storage().data_ptr() for weight in layer.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights and tensor.numel() >= BLOCKS * TOKENS * config.hidden:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    x_BTD = torch.randn(BLOCKS, TOKENS, config.hidden, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), \
            torch.autocast("cpu", torch.bfloat16, enabled=half):  # fmt: skip
        layer(x_BTD, None)
    found = sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / (BLOCKS * TOKENS)
    assert activation_bytes(config, size, dropout=False) == pytest.approx(found, rel=0.1)


def test_large_fits_one_card_of_80_gb_as_computed() -> None:
    found = memory_of(xlmr_large(), RUN, 1, on_gpu=True)
    assert found.weights == found.gradients == found.optimizer // 2 == 4 * 560_142_482
    assert 20e9 < found.total < 60e9


def test_sharding_and_checkpointing_take_less() -> None:
    run = replace(RUN, micro_batch_blocks=0, batch_blocks=256)
    plain, sharded = (memory_of(xlmr_base(), replace(run, sharding=how), 8, True) for how in ("none", "full"))
    assert sharded.optimizer == pytest.approx(plain.optimizer / 8, rel=1e-6)
    assert sharded.total < plain.total
    again = memory_of(xlmr_base(), replace(RUN, activation_checkpointing=True), 1, True)
    assert again.activations < memory_of(xlmr_base(), RUN, 1, True).activations / 4
