"""Files of blocks that are empty or were encoded with a larger vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.batches import Batches


def batches(file: Path) -> Batches:
    return Batches({"en": [file]}, block_tokens=8, alpha=0.3, seed=1, cycle=4, vocabulary_size=20)


def test_ids_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "en.npy", np.full((4, 6), 20, "<u4"))
    with pytest.raises(ValueError, match="blocks hold the id 20, the vocabulary has 20: encode again"):
        batches(tmp_path / "en.npy").take(0, 2)


def test_an_empty_file_is_no_file_of_blocks(tmp_path: Path) -> None:
    (tmp_path / "en.npy").touch()
    with pytest.raises(ValueError, match=r"no whole \.npy file of blocks"):
        batches(tmp_path / "en.npy")
