"""Examples as rows, and predictions from their logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evaluation.benchmarks import BENCHMARKS
from evaluation.decode import decode
from evaluation.encoders import NativeTokenizer
from evaluation.features import cut_pair, features_of
from evaluation.records import Choice, Classified, Question, Tagged
from training.vocabulary import EOS, PAD, UNK, Vocabulary


@pytest.fixture(scope="session")
def tokenizer(model: Path) -> NativeTokenizer:
    return NativeTokenizer(Vocabulary.load(model / "sentencepiece.bpe.model"))


def test_each_word_gets_one_tag_however_long_the_sentence(tokenizer: NativeTokenizer) -> None:
    words = tuple(f"word{n}" for n in range(60))
    example = Tagged((*words, "\u200b"), ("B-PER",) * 61)
    rows = features_of([example], BENCHMARKS["ner"], tokenizer, max_tokens=32)
    assert len(rows) > 3
    assert max(len(row.ids) for row in rows) <= 32
    places = [torch.tensor([max(int(t), 0) for t in row.target]) for row in rows]
    right = [torch.nn.functional.one_hot(place, 9).float() for place in places]
    [tags] = decode(BENCHMARKS["ner"], [example], rows, right)
    assert tags == ("B-PER",) * 61
    assert UNK in rows[-1].ids  # a word without a piece


def test_answers_are_cut_from_the_context_by_offsets(tokenizer: NativeTokenizer) -> None:
    context = "Ein  Satz zuvor. " * 12 + "Der Koch wartet im Garten."
    start = context.index("im Garten")
    example = Question("1", "Wo?", context, (("im Garten", start),))
    rows = features_of([example], BENCHMARKS["mlqa"], tokenizer, max_tokens=64)
    assert len(rows) > 1
    scores = [torch.zeros(len(row.ids), 2) for row in rows]
    for row, found in zip(rows, scores, strict=True):
        if row.target != (0, 0):
            found[int(row.target[0]), 0] = found[int(row.target[1]), 1] = 9.0
    assert decode(BENCHMARKS["mlqa"], [example], rows, scores) == ["im Garten"]


def test_pairs_are_joined_as_in_fairseq(tokenizer: NativeTokenizer) -> None:
    [row] = features_of([Classified("The cook", "sings", "neutral")], BENCHMARKS["xnli"], tokenizer, 64)
    first, second = tokenizer.encode(["The cook", "sings"])
    assert list(row.ids) == [0, *first, EOS, EOS, *second, EOS]
    assert row.target == (1,)
    [cut] = features_of([Classified("The cook " * 50, "sings", "neutral")], BENCHMARKS["xnli"], tokenizer, 32)
    assert len(cut.ids) == 32
    assert cut.ids[-1] == EOS
    assert PAD not in cut.ids


def test_the_longer_part_of_a_pair_loses_its_end() -> None:
    def popped(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
        first, second = [*first], [*second]
        while len(first) + len(second) > room:
            (first if len(first) >= len(second) else second).pop()
        return first, second

    for a in range(9):
        for b in range(9):
            for room in range(9):
                pair = list(range(a)), list(range(b))
                assert cut_pair(*pair, room) == popped(*pair, room), (a, b, room)


def test_a_choice_has_a_row_for_each_answer(tokenizer: NativeTokenizer) -> None:
    choice = Choice("The cook waits.", "Who?", ("the cook", "a bird", "rain", "noon"), 0)
    rows = features_of([choice, choice], BENCHMARKS["belebele"], tokenizer, 64)
    assert [row.example for row in rows] == [0] * 4 + [1] * 4
    assert (
        list(rows[1].ids)[-len(tokenizer.encode(["Who? a bird"])[0]) - 1 : -1] == tokenizer.encode(["Who? a bird"])[0]
    )
