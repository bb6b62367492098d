"""Word by word, the pieces are SentencePiece's own."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import sentencepiece

from ccnet import _pieces
from ccnet.normalize import normalize_for_language_model
from ccnet.pieces import PieceEncoder
from embedded.written import reference_sentences

ODD = [
    "\u3000",
    "\u00a0",
    "\u200b",
    "\u00a8",
    "ﬁ",
    "①",
    "가",
    "각",
    "ো",
    "ｶﾞ",
    "你",
    "\U0001f600",
    "½",
    "\u2028",
    "ẞ",
    "0000",
]


def train(path: Path, **options: object) -> Path:
    model = io.BytesIO()
    lines = [
        line for language in ("en", "ru") for line in normalize_for_language_model(reference_sentences()[language])
    ]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, minloglevel=2, num_threads=1,
        **{"model_type": "unigram", "vocab_size": 400, "hard_vocab_limit": False, **options},
    )  # fmt: skip
    path.write_bytes(model.getvalue())
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("pieces") / "sp.model")


def expected(model: Path, texts: list[str]) -> list[tuple[bytes, int]]:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [processor.encode(text, out_type=str) for text in texts]
    return [(" ".join(found).encode(), len(found)) for found in pieces]


def test_pieces_of_any_text_are_sentencepieces(model: Path) -> None:
    encoder = PieceEncoder(model)
    assert encoder._words is not None
    chance = random.Random(1)
    words = [word for line in reference_sentences()["en"][:200] for word in line.split()]
    texts = []
    for length in [0, 1, 2, 3, 30] * 40:
        parts = chance.choices([*words, *ODD, "".join(chance.choices(ODD + words, k=5))], k=length)
        texts.append(chance.choice([" ", " ", "  ", ""]).join(parts).lower())
    texts += ["", " ", "   a", "a ", "\u3000\u3000", "a" * 500, "x" + "0" * 3000]
    assert encoder.lines(texts) == expected(model, texts)
    assert encoder.lines(texts) == expected(model, texts)  # all words are known now


def test_what_word_by_word_cannot_tell_is_asked(model: Path) -> None:
    encoder = PieceEncoder(model)
    texts = ["a ▁ b▁", "▁", "garden water " * 20_000, "12 " * 30_000 + "ш" * 4000]
    assert [_pieces.encode(encoder._words, text) for text in texts] == [None] * 4
    assert encoder.lines(texts) == expected(model, texts)


@pytest.mark.parametrize(
    "options",
    [
        {"model_type": "bpe"},
        {"byte_fallback": True, "vocab_size": 700},
        {"user_defined_symbols": "garden"},
        {"treat_whitespace_as_suffix": True},
        {"split_by_whitespace": False},
        {"add_dummy_prefix": False},
    ],
    ids=str,
)
def test_other_models_are_left_to_sentencepiece(tmp_path: Path, options: dict[str, object]) -> None:
    other = train(tmp_path / "sp.model", **options)
    texts = ["the garden of the teacher", "ﬁ 你 0000 in the"]
    encoder = PieceEncoder(other)
    assert encoder._words is None
    assert encoder.lines(texts) == expected(other, texts)
