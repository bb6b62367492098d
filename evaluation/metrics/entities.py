"""conlleval's entities: micro F1 over spans with their type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
    counts = entity_counts(gold, predicted)
    correct, found, wanted = (sum(row[side] for row in counts) for side in range(3))
    precision = 100.0 * correct / found if found else 0.0
    recall = 100.0 * correct / wanted if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return EntityScore(precision, recall, f1, correct, found, wanted)


def entity_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> list[tuple[int, int, int]]:
    """(correct, predicted, gold) entities of each sentence.  Raises ValueError where lengths differ."""
    if len(gold) != len(predicted) or not gold:
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} examples")
    counts = []
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {number}: {len(predicted_tags)} tags for {len(gold_tags)} words")
        wanted, found = set(entities(gold_tags)), set(entities(predicted_tags))
        counts.append((len(wanted & found), len(found), len(wanted)))
    return counts


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
