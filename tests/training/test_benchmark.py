"""benchmarks.pretraining at a tiny shape: that it runs and what it reports, not how fast."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import pretraining
from benchmarks.pretraining import compare
from tests.training.runs import TEXTS
from training.sizes import EncoderConfig


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


def test_encoding_is_measured_on_the_text_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "ENCODING_PIECES", 150)
    (tmp_path / "text").write_text("\n".join(TEXTS["en"] * 20), encoding="utf-8")
    found = pretraining.encoding_speed(tmp_path / "text", rounds=1)
    assert 0.01 < found["mb_per_s"] < 1000
    assert found["mb"] == round((tmp_path / "text").stat().st_size / 1e6, 2)
    assert found["tokens_per_s"] > 0
