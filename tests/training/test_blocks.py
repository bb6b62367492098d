"""Blocks of a language in several files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.batches import Batches
from training.blocks import open_blocks
from training.settings import read_settings

ROWS = np.arange(10 * 14, dtype="<u4").reshape(10, 14) + 4


def write_parts(folder: Path, *ends: int) -> list[Path]:
    paths = [folder / f"{part}.npy" for part in range(len(ends))]
    for path, start, end in zip(paths, (0, *ends), ends, strict=False):
        np.save(path, ROWS[start:end])
    return paths


def test_files_are_read_one_after_another_as_one_array(tmp_path: Path) -> None:
    blocks = open_blocks(write_parts(tmp_path, 3, 3, 4, 10), 16)  # the second file holds nothing
    assert len(blocks) == 10
    assert [blocks[n].tolist() for n in range(10)] == ROWS.tolist()
    with pytest.raises(IndexError, match="block 10 of 10"):
        blocks[10]


def test_batches_do_not_depend_on_where_a_language_is_cut(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one, three = write_parts(tmp_path / "one", 10), write_parts(tmp_path, 3, 4, 10)
    first, second = (Batches({"en": paths}, 16, 0.3, 1, 64, 1000).take(0, 20) for paths in (one, three))
    assert first.ids_BT.equal(second.ids_BT)
    assert first.targets_BS.equal(second.targets_BS)


def test_a_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    (path,) = write_parts(tmp_path, 10)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"0\.npy: no whole \.npy file of blocks .*: encode again"):
        open_blocks([path], 16)


def test_settings_take_one_file_or_several(tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"vocabulary": "v", "output": "o", "blocks": {"en": "a", "sw": ["b", "c"]}}))
    assert read_settings(config).blocks == {"en": (Path("a"),), "sw": (Path("b"), Path("c"))}
