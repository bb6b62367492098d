"""Our classifier beside lid.176, on a language that lid.176 cannot know: English through rot13."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from ccnet.identify import LanguageIdentifier
from ccnet.language_classifier import (
    CombinedIdentifier,
    answers,
    f1_by_language,
    held_out,
    needed_codes,
    samples,
    train_classifier,
)
from embedded.sentences import WORDS, combination, sentence
from pipeline.tools import LANGUAGE_IDENTIFIER

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    texts = {code: [sentence(words, *combination(n)) for n in range(400)] for code, words in WORDS.items()}
    texts["rot"] = [codecs.encode(line, "rot13") for line in texts["en"]]
    return samples(texts, 30_000)


def test_samples_are_as_long_as_paragraphs_and_little_text_is_none() -> None:
    made = samples({"en": ["one two three"] * 1000, "sw": ["moja"] * 3}, 9_000)
    assert set(made) == {"en"}
    assert {len(text) for text in made["en"]} == {300}
    assert len(made["en"]) == 30


def test_f1_counts_languages_alike_however_much_text_they_have() -> None:
    held = {"en": ["x"] * 4, "sw": ["y"]}
    # en: all right, and the only sw is called en: precision 1/2, recall 1
    assert f1_by_language(held, {"en": ["en"] * 4, "sw": ["en"]}) == {"en": pytest.approx(2 / 3), "sw": 0.0}


def test_the_language_that_lid_176_lacks_is_named_and_no_other_is_lost(
    found: dict[str, list[str]], tmp_path: Path
) -> None:
    first = LanguageIdentifier(LANGUAGE_IDENTIFIER)
    held = held_out(found)
    needed = needed_codes(held, first, found, 0.8)
    assert set(needed) == {"rot"}
    train_classifier(found, tmp_path / "own.bin", epochs=8)
    both = CombinedIdentifier(LANGUAGE_IDENTIFIER, tmp_path / "own.bin", needed, 0.8)
    before = f1_by_language(held, {language: answers(first, texts) for language, texts in held.items()})
    after = f1_by_language(held, {language: answers(both, texts) for language, texts in held.items()})
    assert before["rot"] == 0
    assert after["rot"] > 0.9
    assert all(after[language] >= before[language] for language in held)


@pytest.mark.parametrize(
    ("first", "own", "wanted"),
    [
        (("en", 0.9), ("rot", 0.8), ("rot", 0.8)),  # one of its own codes
        (("en", 0.9), ("rot", 0.7), ("en", 0.9)),  # too unsure
        (("sw", 0.4), ("sw", 0.95), ("sw", 0.95)),  # both say so
        (("sw", 0.9), ("sw", 0.6), ("sw", 0.9)),
        (("zh", 0.4), ("zh-Hant", 0.7), ("zh", 0.7)),
        (("en", 0.4), ("sw", 0.99), ("en", 0.4)),  # no code of its own
    ],
)
def test_two_answers_are_combined_by_rule(
    first: tuple[str, float], own: tuple[str, float], wanted: tuple[str, float]
) -> None:
    both = CombinedIdentifier.__new__(CombinedIdentifier)
    both._codes, both._threshold = frozenset({"rot"}), 0.8
    assert both._combine(first, own) == wanted


def test_the_same_samples_give_the_same_model(found: dict[str, list[str]], tmp_path: Path) -> None:
    few = {language: texts[:30] for language, texts in found.items()}
    for name in ("a", "b"):
        train_classifier(few, tmp_path / name, epochs=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
