"""A sample of the shards' samples is the sample of all their documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccnet.sample import LanguageSample, merge_samples

TEXTS = [f"text {n}" for n in range(100)]


def write(path: Path, texts: list[str], most: int = 10) -> Path:
    sample = LanguageSample(most)
    sample.add(["en" if n % 2 else "sw" for n in range(len(texts))], texts)
    sample.write(path)
    return path


@pytest.mark.parametrize("cut", [2, 50, 98])
def test_shards_cut_anywhere_give_one_sample(tmp_path: Path, cut: int) -> None:
    whole = merge_samples([write(tmp_path / "whole", TEXTS)], 10)
    parts = [write(tmp_path / "a", TEXTS[:cut]), write(tmp_path / "b", TEXTS[cut:])]
    assert merge_samples(parts[::-1], 10) == whole
    assert {language: len(texts) for language, texts in whole.items()} == {"en": 10, "sw": 10}
    assert merge_samples(parts, 3)["en"] == whole["en"][:3]


def test_the_sample_is_not_the_beginning(tmp_path: Path) -> None:
    [english] = [
        texts for language, texts in merge_samples([write(tmp_path / "s", TEXTS)], 10).items() if language == "en"
    ]
    assert sum(int(text.split()[1]) > 50 for text in english) >= 2


def test_a_sample_of_none_takes_none(tmp_path: Path) -> None:
    assert merge_samples([write(tmp_path / "s", TEXTS, most=0)], 10) == {}
