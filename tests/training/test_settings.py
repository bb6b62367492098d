"""The one list of settings: names, bounds, descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.settings import PretrainSettings, describe_settings, read_settings

NEEDED = {"vocabulary": "v", "blocks": {"en": "a"}, "output": "o"}


def read(tmp_path: Path, **values: object) -> PretrainSettings:
    (tmp_path / "c.json").write_text(json.dumps(NEEDED | values))
    return read_settings(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("micro_batch_blocks", -1, "micro_batch_blocks is -1: wanted 0 or more"),
        ("alpha", 0, "alpha is 0: wanted more than 0"),
        ("alpha", 1.5, "alpha is 1.5: wanted at most 1"),
        ("steps", 2.5, "steps is 2.5: wanted a whole number"),
        ("steps", True, "steps is True: wanted a whole number"),
        ("peak_learning_rate", float("nan"), "peak_learning_rate is nan: wanted a finite number"),
        ("activation_checkpointing", 1, "activation_checkpointing is 1: wanted true or false"),
        ("model", "huge", "model 'huge': wanted one of tiny, base, large"),
        ("precision", "int8", "precision 'int8': wanted one of auto, float32, bfloat16"),
        ("betas", [0.9], r"betas are \(0.9,\): wanted two numbers from 0 to below 1"),
        ("blocks", {}, "no blocks: wanted at least one language"),
        ("learning_rate", 1, "unknown settings learning_rate"),
        ("betas", 0.9, "betas is 0.9: wanted a list"),
        ("blocks", ["en.npy"], "blocks are .*: wanted an object, language -> file or files"),
        ("blocks", {"en": 5}, "blocks of en: 5: wanted the path of a file or folder"),
        ("blocks", {"en": [""]}, "blocks of en: '': wanted the path of a file or folder"),
        ("output", None, "output: None: wanted the path of a file or folder"),
        ("steps", 10**400, "steps is 10+…: wanted a number up to 9007199254740992"),
    ],
)
def test_a_setting_out_of_bounds_is_named(tmp_path: Path, name: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(tmp_path, **{name: value})


def test_whole_numbers_stand_for_fractions(tmp_path: Path) -> None:
    assert read(tmp_path, alpha=1, clip_norm=1, betas=[0, 0.98]).betas == (0, 0.98)


def test_every_setting_has_a_description_and_a_default_within_its_bounds() -> None:
    described = describe_settings()
    assert all(one.description for one in described)
    PretrainSettings(Path("v"), {"en": (Path("b"),)}, Path("o"))  # checks all defaults


def test_what_a_run_is_does_not_hang_on_where_it_lies_or_how_fast_it_goes(tmp_path: Path) -> None:
    bound = read(tmp_path).bound()
    assert read(tmp_path, output="other", micro_batch_blocks=4, compile="off", threads=8, log_steps=3).bound() == bound
    assert read(tmp_path, seed=2).bound() != bound
    assert read(tmp_path, precision="float32").bound() != bound
