"""F1 and exact match of answers, by MLQA's rules (per language) and by SQuAD's (English, also used for XQuAD, TyDi)."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

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
Normalizer = Callable[[str, str], str]


def question_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], language: str
) -> tuple[float, float]:
    """(F1, exact match) in percent over all questions by MLQA's rules; a missing answer scores 0.

    Raises ValueError for a language that MLQA's script does not know.
    """
    if not gold:
        raise ValueError("no question to score")
    scores = [answer_scores(answers, predicted.get(key), language, normalize_answer) for key, answers in gold.items()]
    f1, exact = (100.0 * sum(row[side] for row in scores) / len(scores) for side in (0, 1))
    return f1, exact


def answer_scores(
    answers: Sequence[str], predicted: str | None, language: str, normalize: Normalizer
) -> tuple[float, float]:
    """(F1, exact match) of one question: the best over its answers; (0, 0) where it was not answered."""
    if predicted is None:
        return 0.0, 0.0
    ours = normalize(predicted, language)
    theirs = [normalize(answer, language) for answer in answers]
    return max(_token_f1(ours, text) for text in theirs), float(max(ours == text for text in theirs))


def token_f1(predicted: str, answer: str, language: str) -> float:
    """F1 of two answers as multisets of tokens, by MLQA's rules."""
    return _token_f1(normalize_answer(predicted, language), normalize_answer(answer, language))


def _token_f1(predicted: str, answer: str) -> float:
    ours, theirs = predicted.split(), answer.split()
    shared = sum((Counter(ours) & Counter(theirs)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def normalize_answer(text: str, language: str) -> str:
    """MLQA: lower case; no punctuation (any Unicode P category, and ASCII's marks); no articles; tokens apart."""
    if language not in ARTICLES:
        raise ValueError(f"MLQA has no rules for {language!r}; it knows {', '.join(ARTICLES)}")
    lowered = "".join(c for c in text.lower() if c not in PUNCTUATION and not unicodedata.category(c).startswith("P"))
    if ARTICLES[language]:
        lowered = re.sub(ARTICLES[language], " ", lowered)
    return " ".join(_tokens(lowered, language))


def normalize_squad(text: str, language: str) -> str:
    """SQuAD v1.1, whatever the language: lower case; no ASCII marks; no English articles; single spaces."""
    lowered = "".join(c for c in text.lower() if c not in PUNCTUATION)
    return " ".join(re.sub(ARTICLES["en"], " ", lowered).split())


def _tokens(text: str, language: str) -> list[str]:
    """Words; in Chinese each common Han character is one."""
    if language != "zh":
        return text.split()
    return HAN.sub(lambda found: f" {found.group()} ", text).split()
