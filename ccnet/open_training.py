"""Train the classifier of `OpenIdentifier` and calibrate it: from which score it is believed, code by code.

A wanted code with reference text can be answered; every other language that there is text of is learned to be refused.
The rule: of the scores from LEAST_SCORE on, the lowest at which held-out text reaches the wanted precision, each
language (those to refuse as well) counting alike; a code that never reaches it is never believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ccnet.identify import LABEL_PREFIX, LanguageIdentifier
from ccnet.known_words import KnownWords
from ccnet.language_classifier import HELD_OUT, fit, held_out, needed_codes
from ccnet.open_identifier import CLASSIFIER, CODES, KNOWN_ALONE, LEAST_SCORE, WORDS, CodeRule, write_rules

OTHER_HELD_OUT = 5  # every fifth sample of another language is not trained on: there is less of it
OTHER_SAMPLES = 5  # fewer are no language to learn
TRAINED_SAMPLES = 120  # less text is repeated up to about this many, and at most eight times
NEVER = 1.01  # a threshold that no score reaches
STEPS = [round(LEAST_SCORE + step / 100, 2) for step in range(50)]

Samples = Mapping[str, Sequence[str]]


def train_open_classifier(
    found: Samples,
    others: Samples,
    identifier: LanguageIdentifier,
    wanted: Collection[str],
    folder: Path,
    *,
    precision: float = 0.95,
    least_recall: float = 0.8,
    epochs: int = 8,
    seed: int = 1,
) -> dict[str, CodeRule]:
    """Write classifier, known words and rules into `folder`.

    `found`: samples of the languages with reference text; `others`: of any language, those of a language of `found`
    are added to it, so that the kind of text tells nothing.
    """
    held = held_out(found)
    trained = {code: _trained(texts, HELD_OUT) for code, texts in found.items()}
    more = {code: _trained(texts, OTHER_HELD_OUT) for code, texts in others.items()}
    known = KnownWords.learn({code: [*texts, *more.get(code, ())] for code, texts in trained.items()}, held)
    known.write(folder / WORDS)
    rows = []
    for code in sorted({*trained, *more}):
        texts = [*trained.get(code, ()), *more.get(code, ())]
        times = max(1, min(8, TRAINED_SAMPLES // max(len(texts), 1)))
        rows += [f"{LABEL_PREFIX}{code} {text}" for text in texts * times]
    fit(rows, folder / CLASSIFIER, epochs=epochs, seed=seed)
    held |= {code: list(texts[::OTHER_HELD_OUT]) for code, texts in others.items() if code not in found}
    needed = needed_codes(held_out(found), identifier, wanted, least_recall)
    answerable = sorted(set(found) & set(wanted))
    rules = calibrate(held, LanguageIdentifier(folder / CLASSIFIER), known, answerable, needed, precision)
    write_rules(rules, folder / CODES)
    return rules


def calibrate(
    held: Samples,
    classifier: LanguageIdentifier,
    known: KnownWords,
    codes: Collection[str],
    needed: Collection[str],
    precision: float,
) -> dict[str, CodeRule]:
    """The rule of each of `codes`, from text that the classifier was not trained on."""
    accepted: dict[str, list[tuple[float, float, bool]]] = {code: [] for code in codes}  # score, weight, right
    for language, texts in held.items():
        for text, (label, score) in zip(texts, classifier.identify(texts), strict=True):
            if label in accepted and known.fits(text, label, KNOWN_ALONE):
                accepted[label].append((score, 1 / len(texts), label == language))
    rules = {}
    for code in codes:
        found = ((step, *_reached(accepted[code], step)) for step in STEPS)
        best = next(((s, p, r) for s, p, r in found if p >= precision), None)
        threshold, reached, recall = best or (NEVER, _reached(accepted[code], LEAST_SCORE)[0], 0.0)
        rules[code] = CodeRule(threshold, code in needed, round(reached, 4), round(recall, 4), len(held[code]))
    return rules


def _reached(accepted: Sequence[tuple[float, float, bool]], threshold: float) -> tuple[float, float]:
    """Precision and recall of what has at least this score."""
    weights = {True: 0.0, False: 0.0}
    for score, weight, right in accepted:
        if score >= threshold:
            weights[right] += weight
    said = sum(weights.values())
    return (weights[True] / said if said else 0.0), weights[True]


def _trained(texts: Sequence[str], held_out_every: int) -> list[str]:
    return [text for at, text in enumerate(texts) if at % held_out_every]
