"""benchmarks.pretraining at a tiny shape: that it runs and what it reports, not how fast."""

from __future__ import annotations

import pytest
import torch

from benchmarks.pretraining import compare
from training.model import EncoderConfig


@pytest.mark.slow
def test_both_sides_are_measured_in_one_process() -> None:
    config = EncoderConfig(200, hidden=32, layers=2, heads=2, feed_forward=64, max_tokens=16)
    found = compare(config, torch.device("cpu"), rounds=3, asked=2)
    ratio = found["tokens_per_s"] / found["huggingface_tokens_per_s"]
    assert found["spread"]["ratio"]["least"] <= found["ratio_huggingface"] <= found["spread"]["ratio"]["most"]
    assert found["spread"]["ratio"]["least"] * 0.9 <= ratio <= found["spread"]["ratio"]["most"] * 1.1
    assert found["sizes"]["blocks"] == found["sizes"]["huggingface_blocks"] == 2
    assert {"mfu", "peak_memory_gb", "parts_at_fault"} <= set(found)
    assert set(found["parts"]) == {"data", "attention", "head", "optimizer", "matrices"}
