"""Our own language classifier, for codes that lid.176 lacks or confuses (the paper, section 3.1: an internal model in
combination with fastText's): trained on reference text, asked beside lid.176, believed on its own codes only.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import fasttext

from ccnet.identify import LABEL_PREFIX, LanguageIdentifier
from ccnet.languages import LANGUAGES, script_free
from ccnet.scripts import code_by_script

SAMPLE_CHARACTERS = 300  # a training example: about a paragraph
HELD_OUT = 10  # every tenth sample tells what lid.176 confuses and how good the classifier is; it is not trained on
MIN_SAMPLES = 20  # less reference text makes no classifier
# fastText 0.9.3 starts a tenth of its weights for each thread and leaves the rest as memory was; above 32 MiB, memory
# that the system hands out is zero, so one thread and this many buckets of 16 floats give the same model every time.
BUCKETS, DIMENSION = 1_000_000, 16


def samples(texts: Mapping[str, Iterable[str]], max_characters: int, least: int = MIN_SAMPLES) -> dict[str, list[str]]:
    """Lines joined to samples of about a paragraph, at most `max_characters` a language; languages with fewer than
    `least` samples are left out."""
    found = {language: list(_samples(lines, max_characters)) for language, lines in sorted(texts.items())}
    return {language: texts for language, texts in found.items() if len(texts) >= least}


def _samples(lines: Iterable[str], max_characters: int) -> Iterator[str]:
    taken, sample = 0, ""
    for line in lines:
        sample = f"{sample} {line.strip()}".strip()
        while len(sample) >= SAMPLE_CHARACTERS:
            yield sample[:SAMPLE_CHARACTERS].replace(LABEL_PREFIX, "")
            taken += SAMPLE_CHARACTERS
            sample = sample[SAMPLE_CHARACTERS:]
            if taken >= max_characters:
                return


def held_out(found: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {language: list(texts[::HELD_OUT]) for language, texts in found.items()}


def f1_by_language(held: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """F1 of each language's answers, one answer a text of `held`; a language counts alike however much text it has."""
    share: dict[str, float] = {}  # of all languages' texts that are given this answer
    right: dict[str, float] = {}
    for language, texts in held.items():
        counts = Counter(found[language])
        right[language] = counts[language] / len(texts)
        for answer, times in counts.items():
            share[answer] = share.get(answer, 0.0) + times / len(texts)
    return {language: 2 * right[language] / (1 + share.get(language, 0.0)) for language in held}


def needed_codes(
    held: Mapping[str, Sequence[str]], identifier: LanguageIdentifier, wanted: Iterable[str], least_recall: float
) -> dict[str, float]:
    """The wanted languages of whose held-out texts the identifier names too few, and the share that it names."""
    found = {}
    for language in sorted(set(wanted) & set(held)):
        right = sum(answer == language for answer in answers(identifier, held[language]))
        if right < least_recall * len(held[language]):
            found[language] = right / len(held[language])
    return found


def answers(identifier: LanguageIdentifier, texts: Sequence[str]) -> list[str]:
    """Labels alone, zh and my told apart by script."""
    labels = [label for label, _ in identifier.identify(texts)]
    return [code_by_script(label, text, LANGUAGES) for text, label in zip(texts, labels, strict=True)]


def train_classifier(found: Mapping[str, Sequence[str]], model: Path, *, epochs: int = 5, seed: int = 1) -> None:
    """Train on all samples but the held-out; little text is repeated.  The same samples give the same bytes."""
    rows = []
    most = max(len(texts) for texts in found.values())
    for language, texts in found.items():
        trained = [text for at, text in enumerate(texts) if at % HELD_OUT]
        times = max(1, min(8, most // (2 * len(trained))))
        rows += [f"{LABEL_PREFIX}{language} {text}" for text in trained * times]
    fit(rows, model, epochs=epochs, seed=seed)


def fit(rows: list[str], model: Path, *, epochs: int, seed: int) -> None:
    """fastText on lines `__label__CODE text`, in an order that the seed decides."""
    random.Random(seed).shuffle(rows)
    lines = model.with_suffix(".txt")
    lines.write_text("\n".join(rows) + "\n", encoding="utf-8")
    trained_model = fasttext.train_supervised(
        str(lines), dim=DIMENSION, bucket=BUCKETS, minn=2, maxn=4, minCount=10, loss="softmax", epoch=epochs, lr=0.5,
        thread=1, verbose=0,
    )  # fmt: skip
    trained_model.save_model(str(model))
    lines.unlink()


class CombinedIdentifier(LanguageIdentifier):
    """lid.176, and beside it our classifier, whose answer counts where it names one of its codes with `threshold`.

    Elsewhere lid.176's label stands; where both say the same, with the higher of their scores.
    """

    def __init__(
        self,
        first: Path,
        own: Path,
        codes: Iterable[str],
        threshold: float,
        label_map: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(first, label_map)
        self._own = LanguageIdentifier(own)
        self._codes = frozenset(codes)
        self._threshold = threshold

    def identify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        both = zip(super().identify(texts), self._own.identify(texts), strict=True)
        return [self._combine(first, own) for first, own in both]

    def _combine(self, first: tuple[str, float], own: tuple[str, float]) -> tuple[str, float]:
        if own[0] in self._codes and own[1] >= self._threshold:
            return own
        agree = first[0] in (own[0], script_free(own[0]))
        return (first[0], max(first[1], own[1])) if agree else first
