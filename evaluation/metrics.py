"""The official scores, as pure functions: accuracy, conlleval's entity F1, MLQA's and SQuAD's F1 and exact match."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# MLQA's articles, by language; it knows no other language.
ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "ar": r"\sال^|ال",
    "hi": "",
    "zh": "",
}
HAN = re.compile(r"[\u4e00-\u9fa5]")
PUNCTUATION = frozenset(string.punctuation)


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Percent of equal labels.  Raises ValueError where the lengths differ or nothing is there."""
    _check_lengths(gold, predicted)
    return 100.0 * sum(g == p for g, p in zip(gold, predicted, strict=True)) / len(gold)


@dataclass(frozen=True, slots=True)
class EntityScore:
    """Micro precision, recall and F1 in percent, with conlleval's counts."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScore:
    """conlleval: an entity is right if span and type are; I-X after O or another type begins an entity."""
    _check_lengths(gold, predicted)
    correct = found = wanted = 0
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {number}: {len(predicted_tags)} tags for {len(gold_tags)} words")
        gold_spans, predicted_spans = set(entities(gold_tags)), set(entities(predicted_tags))
        correct += len(gold_spans & predicted_spans)
        found += len(predicted_spans)
        wanted += len(gold_spans)
    precision = 100.0 * correct / found if found else 0.0
    recall = 100.0 * correct / wanted if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return EntityScore(precision, recall, f1, correct, found, wanted)


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """(type, first word, word after the last) of a sentence's entities."""
    spans, kind, start = [], "", 0
    for index, tag in enumerate([*tags, "O"]):
        part, _, name = tag.partition("-")
        if kind and (part != "I" or name != kind):
            spans.append((kind, start, index))
            kind = ""
        if part in ("B", "I") and not kind:
            kind, start = name, index
    return spans


def question_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], language: str
) -> tuple[float, float]:
    """(F1, exact match) in percent over all questions; the best answer counts, a missing one scores 0 (MLQA).

    Raises ValueError for a language that MLQA's script does not know.
    """
    if language not in ARTICLES:
        raise ValueError(f"MLQA has no rules for {language!r}; it knows {', '.join(ARTICLES)}")
    if not gold:
        raise ValueError("no question to score")
    f1 = exact = 0.0
    for key, answers in gold.items():
        if key in predicted:
            f1 += max(token_f1(predicted[key], answer, language) for answer in answers)
            exact += max(_exact(predicted[key], answer, language) for answer in answers)
    return 100.0 * f1 / len(gold), 100.0 * exact / len(gold)


def token_f1(predicted: str, answer: str, language: str) -> float:
    """F1 of two answers as multisets of tokens."""
    ours, theirs = (normalize_answer(text, language).split() for text in (predicted, answer))
    shared = sum((Counter(ours) & Counter(theirs)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def normalize_answer(text: str, language: str) -> str:
    """Lower case; no punctuation (any Unicode P category, and ASCII's marks); no articles; tokens apart."""
    lowered = "".join(c for c in text.lower() if c not in PUNCTUATION and not unicodedata.category(c).startswith("P"))
    if ARTICLES[language]:
        lowered = re.sub(ARTICLES[language], " ", lowered)
    return " ".join(_tokens(lowered, language))


def _tokens(text: str, language: str) -> list[str]:
    """Words; in Chinese each common Han character is one."""
    if language != "zh":
        return text.split()
    return HAN.sub(lambda found: f" {found.group()} ", text).split()


def _exact(predicted: str, answer: str, language: str) -> float:
    return float(normalize_answer(predicted, language) == normalize_answer(answer, language))


def _check_lengths(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted) or not gold:
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} examples")
