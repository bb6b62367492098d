"""The vocabulary's sample of lines by part, and training on it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import training.vocabulary
from training.fertility import count_tokens, fertility
from training.vocabulary import (
    Vocabulary,
    estimated_memory_bytes,
    read_lines,
    sample_lines,
    sampling_fractions,
    train_on_samples,
)

LINES = [f"The {a} {b} in the {c}." for a in ("old", "red", "small", "quiet", "long", "warm")
         for b in ("house", "bird", "river", "song", "train")
         for c in ("garden", "village", "morning", "winter")]  # fmt: skip


def test_fractions_follow_alpha_and_never_exceed_the_text() -> None:
    fractions = sampling_fractions({"en": 8100, "sw": 100}, alpha=0.5, max_characters=1000)
    # p = 81/82 and 1/82, so the shares are 9/10 and 1/10 of 1000 characters: 900 of 8100 and 100 of 100.
    assert fractions == pytest.approx({"en": 1 / 9, "sw": 1.0})
    assert sampling_fractions({"sw": 10}, alpha=0.5, max_characters=1000) == {"sw": 1.0}


def test_memory_is_told_from_the_size_of_the_sample() -> None:
    assert estimated_memory_bytes(1_000_000_000) == pytest.approx(70e9, rel=0.01)  # ten million sentences


def test_lines_that_the_trainer_would_skip_are_counted_and_not_written(tmp_path: Path) -> None:
    texts = ["one\n\ntwo \u2585 blocks", "half \ud800 a character\n  ", "three\u2028four\rfive"]
    counts = sample_lines(texts, 1.0, "1/en/0", tmp_path / "lines.txt")
    assert (tmp_path / "lines.txt").read_bytes().decode() == "one\nthree\u2028four\rfive\n"
    assert counts == {
        "lines_read": 4, "characters_read": 3 + 12 + 18 + 15, "lines": 2, "characters": 18, "lines_not_drawn": 0,
        "lines_with_reserved_character": 1, "lines_not_unicode": 1,
    }  # fmt: skip


def test_a_part_is_sampled_alike_whatever_else_is_sampled(tmp_path: Path) -> None:
    for name in ("a.txt.gz", "b.txt.gz"):
        counts = sample_lines(["\n".join(LINES)], 0.5, "1/en/3", tmp_path / name)
    assert (tmp_path / "a.txt.gz").read_bytes() == (tmp_path / "b.txt.gz").read_bytes()
    written = gzip.decompress((tmp_path / "a.txt.gz").read_bytes()).decode().splitlines()
    assert counts["lines"] == len(written) == 120 - counts["lines_not_drawn"]
    assert 40 < len(written) < 80
    sample_lines(["\n".join(LINES)], 0.5, "1/en/4", tmp_path / "c.txt")
    assert (tmp_path / "c.txt").read_text().splitlines() != written


def test_lines_that_were_not_drawn_are_held_out_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.vocabulary, "HELD_OUT_LINES", 5)
    lines = [f"line {number}" for number in range(100)]
    counts = sample_lines(lines, 0.3, "1/en/0", tmp_path / "drawn", tmp_path / "held_out")
    drawn, held_out = (list(read_lines(tmp_path / name)) for name in ("drawn", "held_out"))
    sample_lines(lines, 0.3, "1/en/0", tmp_path / "alone")
    assert (tmp_path / "alone").read_bytes() == (tmp_path / "drawn").read_bytes()
    assert len(drawn) == counts["lines"]
    assert len(held_out) == 5
    assert not set(held_out) & set(drawn)
    assert held_out == sorted(held_out, key=lines.index)
    sample_lines(lines, 1.0, "1/en/0", tmp_path / "drawn", tmp_path / "held_out")
    assert not (tmp_path / "held_out").read_bytes()


def test_fertility_is_tokens_for_each_word_and_character(vocabulary: Vocabulary) -> None:
    counts = count_tokens(["The house", "\u16a0"], vocabulary)
    tokens = len(vocabulary.encode("The house")) + len(vocabulary.encode("\u16a0"))
    assert fertility(counts) == {
        "lines": 2, "characters": 10, "words": 3, "tokens": tokens, "unknown_tokens": 1,
        "tokens_per_character": round(tokens / 10, 4), "tokens_per_word": round(tokens / 3, 4),
        "unknown_share": round(1 / tokens, 6),
    }  # fmt: skip


def test_a_line_longer_than_the_trainer_takes_is_cut(tmp_path: Path) -> None:
    sample_lines(["ก" * 5000], 1.0, "", tmp_path / "lines.txt")
    assert [len(line) for line in (tmp_path / "lines.txt").read_text().splitlines()] == [1048] * 4 + [808]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_is_trained_on_the_samples_of_parts(tmp_path: Path, kind: str) -> None:
    files = [tmp_path / "0.txt.gz", tmp_path / "1.txt"]
    for part, file in enumerate(files):
        sample_lines(LINES[part::2], 1.0, f"1/en/{part}", file)
    counts = train_on_samples(files, tmp_path / "model", size=34, kind=kind)
    assert counts == {"pieces": 34, "pieces_missing": 0, "lines": 120, "characters": sum(map(len, LINES))}
    assert len(Vocabulary.load(tmp_path / "model")) == 36


def test_fewer_pieces_than_asked_for_are_told_and_refused_where_asked(tmp_path: Path) -> None:
    sample_lines(LINES, 1.0, "", tmp_path / "lines.txt")
    counts = train_on_samples([tmp_path / "lines.txt"], tmp_path / "model", size=5000)
    assert counts["pieces"] + counts["pieces_missing"] == 5000
    assert counts["pieces"] < 1000
    (tmp_path / "model").unlink()
    with pytest.raises(ValueError, match=r"found \d+ pieces in [\d,]+ characters, 5,000 were asked for: sample more"):
        train_on_samples([tmp_path / "lines.txt"], tmp_path / "model", size=5000, allow_fewer=False)
    assert not (tmp_path / "model").exists()


def test_an_unknown_kind_of_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind 'word': wanted one of unigram, bpe"):
        train_on_samples([], tmp_path / "model", size=100, kind="word")
