"""Our reading of fastText's models against fastText itself: labels and scores of any text, model for model."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from ccnet.document import CorpusError
from ccnet.fasttext_model import FastTextModel, UnknownModel
from ccnet.identify import LanguageIdentifier
from ccnet.languages import read_label_map
from embedded.sentences import WORDS, combination, sentence
from pipeline.tools import LANGUAGE_IDENTIFIER

BUCKETS = 600_000  # of 16 floats: memory of that size comes zeroed (see ccnet/language_classifier.py)
ALPHABETS = ["abcdefghij ", "абвгде жз", "漢字仮名交 ", "กขคงจ", "\u0301é\u200d ", "\t\x00\x0b_</s>\u3000\u00a0 "]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lid") / "train.txt"
    rows = [f"__label__{code} {sentence(words, *combination(n))}" for n in range(60) for code, words in WORDS.items()]
    path.write_text("\n".join(rows) + "\n")
    return path


def train(corpus: Path, **options: object) -> Any:
    """fastText may start with whatever small memory held: it says so, and is asked again."""
    for _ in range(20):
        with contextlib.suppress(RuntimeError):
            return fasttext.train_supervised(str(corpus), dim=16, thread=1, bucket=BUCKETS, verbose=0, **options)
    raise AssertionError("fastText met NaN twenty times")


def odd_texts(count: int) -> list[str]:
    chance = random.Random(1)
    texts = ["", " ", "</s>", "a </s> b", "__label__en hello", "wor</s>d", "x" * 5000]
    for _ in range(count):
        letters = "".join(chance.choices(ALPHABETS, k=2))
        texts.append("".join(chance.choices(letters, k=chance.randrange(1, 400))))
    return texts


def texts_of(corpus: Path) -> list[str]:
    return odd_texts(300) + [line.split(" ", 1)[1] for line in corpus.read_text().splitlines()]


@pytest.mark.parametrize(
    ("loss", "max_n", "quantized"),
    [("hs", 4, False), ("softmax", 4, False), ("hs", 4, True), ("softmax", 3, True)],
)
def test_labels_and_scores_are_fasttexts(corpus: Path, tmp_path: Path, loss: str, max_n: int, quantized: bool) -> None:
    model = train(corpus, minn=2, maxn=max_n, loss=loss, epoch=8)
    if quantized:
        model.quantize(cutoff=400, retrain=False, qnorm=True, input=str(corpus), dsub=2, verbose=0)
    path = tmp_path / "model"
    model.save_model(str(path))
    texts = texts_of(corpus)
    ours = FastTextModel(path)
    best, scores, _ = ours.best(texts)
    asked = 0
    for text, label, score in zip(texts, best, scores, strict=True):
        found = model.f.predict(text + "\n", 1, 0.0, "strict")
        if np.isnan(score):
            asked += 1
            assert not found or "</s>" in text or "__label__" in text
        else:
            assert score == pytest.approx(found[0][0], abs=2e-6)
            assert ours.labels[label] == found[0][1] or score == pytest.approx(found[0][0], abs=1e-6)
    assert asked < 60


@pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")
def test_lid_176_gives_fasttexts_answers_to_any_text(corpus: Path) -> None:
    identifier = LanguageIdentifier(LANGUAGE_IDENTIFIER)
    texts = texts_of(corpus)
    assert identifier.identify(texts) == [identifier._ask(text) for text in texts]


def test_a_model_of_another_kind_is_told_apart_and_still_answers(corpus: Path, tmp_path: Path) -> None:
    model = train(corpus, wordNgrams=2)
    model.save_model(str(tmp_path / "model"))
    with pytest.raises(UnknownModel, match="single words"):
        FastTextModel(tmp_path / "model")
    assert LanguageIdentifier(tmp_path / "model").identify(["der alte Arzt"])[0][0] in WORDS


def test_a_damaged_model_is_told(corpus: Path, tmp_path: Path) -> None:
    model = train(corpus, maxn=3)
    model.save_model(str(tmp_path / "model"))
    data = (tmp_path / "model").read_bytes()
    for size in (0, 7, 60, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(UnknownModel, match=r"ends too early|no fastText model"):
            FastTextModel(tmp_path / "cut")


def test_labels_of_glotlid_and_openlid_are_told_as_our_codes(corpus: Path, tmp_path: Path) -> None:
    rows = corpus.read_text()
    for code, label in (("en", "eng_Latn"), ("de", "deu_Latn"), ("sw", "swh_Latn"), ("es", "xxx_Latn")):
        rows = rows.replace(f"__label__{code} ", f"__label__{label} ")
    (tmp_path / "train.txt").write_text("\n".join(row for row in rows.splitlines() if "_Latn" in row))
    train(tmp_path / "train.txt", maxn=3, epoch=40, lr=1.0).save_model(str(tmp_path / "model"))
    texts = [sentence(WORDS[code], *combination(7)) for code in ("en", "de", "sw", "es")]
    found = [label for label, _ in LanguageIdentifier(tmp_path / "model").identify(texts)]
    assert found == ["en", "de", "sw", "xxx_Latn"]
    (tmp_path / "map.tsv").write_text("__label__eng_Latn\tgd\nxxx_Latn\tes\n")
    mapped = LanguageIdentifier(tmp_path / "model", read_label_map(tmp_path / "map.tsv")).identify(texts)
    assert [label for label, _ in mapped] == ["gd", "deu_Latn", "swh_Latn", "es"]


def test_a_label_map_with_an_unknown_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.tsv").write_text("eng_Latn\ten\ndeu_Latn\tgerman\n")
    with pytest.raises(CorpusError, match="line 2: 'deu_Latn\\\\tgerman': wanted LABEL"):
        read_label_map(tmp_path / "map.tsv")
