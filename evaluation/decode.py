"""Logits of rows to a prediction for every example: a label, a number, a tuple of tags, an answer's text."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from evaluation.benchmark import Benchmark
from evaluation.features import MAX_ANSWER_TOKENS, Feature
from evaluation.records import Example, Question, Tagged

BEST_STARTS = 20  # BERT's SQuAD code


def decode(
    benchmark: Benchmark, examples: Sequence[Example], rows: Sequence[Feature], logits: Sequence[Tensor]
) -> list[object]:
    """`logits` are those of each row (of each example, for a choice), without padding."""
    if benchmark.task in ("classification", "choice"):
        return [benchmark.labels[int(row.argmax())] for row in logits]
    if benchmark.task == "regression":
        return [float(row[0]) for row in logits]
    if benchmark.task == "tagging":
        return _decode_tags(benchmark, examples, rows, logits)
    return _decode_spans(examples, rows, logits)


def _decode_tags(
    benchmark: Benchmark, examples: Sequence[Example], rows: Sequence[Feature], logits: Sequence[Tensor]
) -> list[object]:
    """Each word's tag from the window in which it lies farthest from an edge."""
    tags = [["O"] * len(example.words) for example in examples if isinstance(example, Tagged)]
    room = [[-1] * len(found) for found in tags]
    for row, scores_TC in zip(rows, logits, strict=True):
        best_T = scores_TC.argmax(-1).tolist()
        for token, span in enumerate(row.spans):
            if span is None:
                continue
            distance = min(token, len(row.spans) - 1 - token)
            if distance > room[row.example][span[0]]:
                room[row.example][span[0]] = distance
                tags[row.example][span[0]] = benchmark.labels[best_T[token]]
    return [tuple(found) for found in tags]


def _decode_spans(examples: Sequence[Example], rows: Sequence[Feature], logits: Sequence[Tensor]) -> list[object]:
    """The characters of the context from the best start to the best end, over all windows."""
    best: list[tuple[float, str]] = [(-float("inf"), "") for _ in examples]
    for row, scores_T2 in zip(rows, logits, strict=True):
        example = examples[row.example]
        assert isinstance(example, Question)
        found = _best_span(row, scores_T2)
        if found and found[0] > best[row.example][0]:
            score, first, last = found
            best[row.example] = (score, example.context[first:last])
    return [text for _, text in best]


def _best_span(row: Feature, scores_T2: Tensor) -> tuple[float, int, int] | None:
    """(score, first character, character after the last) among the best starts and ends of one window."""
    count = min(BEST_STARTS, len(row.spans))
    (start_scores, starts), (end_scores, ends) = (
        (top.values.tolist(), top.indices.tolist())
        for top in (scores_T2[: len(row.spans), side].topk(count) for side in (0, 1))
    )
    best: tuple[float, int, int] | None = None
    for start_score, start in zip(start_scores, starts, strict=True):
        for end_score, end in zip(end_scores, ends, strict=True):
            first, last = row.spans[start], row.spans[end]
            if first is None or last is None or not start <= end < start + MAX_ANSWER_TOKENS or last[1] <= first[0]:
                continue
            if best is None or start_score + end_score > best[0]:
                best = (start_score + end_score, first[0], last[1])
    return best
