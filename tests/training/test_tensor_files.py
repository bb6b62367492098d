"""Writing tensors where the disk is full."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from training.tensor_files import save_tensors


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    save_tensors({"a": torch.arange(5), "step": 3}, tmp_path / "a.pt")
    found = torch.load(tmp_path / "a.pt", weights_only=True)
    assert (found["a"].tolist(), found["step"]) == ([0, 1, 2, 3, 4], 3)


@pytest.mark.parametrize("numbers", [10, 3_000_000])
def test_a_full_disk_is_told_as_one(numbers: int) -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as raised:
        save_tensors({"a": torch.zeros(numbers)}, Path("/dev/full"))
    assert raised.value.errno == errno.ENOSPC
