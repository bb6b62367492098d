"""Linear heads on the encoder, and examples as features for them: classification, tagging, answer spans.

Pairs are <s> first </s></s> second </s> as in fairseq; no segment ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.benchmark import Benchmark
from evaluation.records import Classified, Example, Question, Tagged
from training.model import Encoder
from training.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

# B batch, T tokens, D hidden, C classes

IGNORED = -100
MAX_ANSWER_TOKENS = 30  # BERT's SQuAD code
BEST_STARTS = 20


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of a batch.  `target` is (class,), or a class for each token, or (start, end).

    `spans` say which characters of the context, or which word, a token stands for; None for other tokens.
    """

    example: int
    ids: tuple[int, ...]
    target: tuple[int, ...]
    spans: tuple[tuple[int, int] | None, ...] = ()


class Head(nn.Module):
    """The encoder with a new output layer."""

    def __init__(self, encoder: Encoder, benchmark: Benchmark) -> None:
        super().__init__()
        self.encoder = encoder
        self.task = benchmark.task
        hidden = encoder.config.hidden
        classes = 2 if benchmark.task == "span" else len(benchmark.labels)
        self.dense = nn.Linear(hidden, hidden) if benchmark.task == "classification" else None
        self.out = nn.Linear(hidden, classes)
        self.dropout = nn.Dropout(encoder.config.dropout)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """logits: (B, C) for classification, (B, T, C) for tagging, (B, T, 2) for spans."""
        hidden_BTD = self.encoder(ids_BT, ids_BT != PAD)
        if self.dense is not None:  # RoBERTa's classification head on <s>
            hidden_BD = torch.tanh(self.dense(self.dropout(hidden_BTD[:, 0])))
            return cast(Tensor, self.out(self.dropout(hidden_BD)))
        return cast(Tensor, self.out(self.dropout(hidden_BTD)))

    def loss(self, ids_BT: Tensor, target: Tensor) -> Tensor:
        logits = self(ids_BT)
        if self.task == "classification":
            return functional.cross_entropy(logits, target[:, 0])
        if self.task == "tagging":
            return functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED)
        masked_BT2 = logits.masked_fill((ids_BT == PAD)[..., None], torch.finfo(logits.dtype).min)
        start = functional.cross_entropy(masked_BT2[..., 0], target[:, 0])
        return (start + functional.cross_entropy(masked_BT2[..., 1], target[:, 1])) / 2


def features_of(
    examples: Sequence[Example], benchmark: Benchmark, vocabulary: Vocabulary, max_tokens: int
) -> list[Feature]:
    """All rows of the examples; a long one gives several (tagging, spans) or is cut (classification)."""
    rows: list[Feature] = []
    for index, example in enumerate(examples):
        if isinstance(example, Classified):
            rows.append(_classification_row(index, example, benchmark, vocabulary, max_tokens))
        elif isinstance(example, Tagged):
            rows.extend(_tagging_rows(index, example, benchmark, vocabulary, max_tokens))
        else:
            rows.extend(_span_rows(index, example, vocabulary, max_tokens))
    return rows


def _classification_row(
    index: int, example: Classified, benchmark: Benchmark, vocabulary: Vocabulary, max_tokens: int
) -> Feature:
    first = vocabulary.encode(example.first)
    second = [] if example.second is None else vocabulary.encode(example.second)
    specials = 2 if example.second is None else 4
    while len(first) + len(second) > max_tokens - specials:  # the longer part loses its end
        longer = first if len(first) >= len(second) else second
        longer.pop()
    ids = [BOS, *first, EOS] if example.second is None else [BOS, *first, EOS, EOS, *second, EOS]
    return Feature(index, tuple(ids), (benchmark.labels.index(example.label),))


def _tagging_rows(
    index: int, example: Tagged, benchmark: Benchmark, vocabulary: Vocabulary, max_tokens: int
) -> list[Feature]:
    """Windows over the words; each word's label lies on its first token.  A word without a piece is <unk>."""
    pieces = [vocabulary.encode(word)[: max_tokens - 2] or [UNK] for word in example.words]
    rows, start = [], 0
    while start < len(pieces):
        ids, target, spans = [BOS], [IGNORED], [None]  # type: tuple[list[int], list[int], list[tuple[int, int] | None]]
        end = start
        while end < len(pieces) and len(ids) + len(pieces[end]) + 1 <= max_tokens:
            label = benchmark.labels.index(example.tags[end])
            rest = len(pieces[end]) - 1
            ids += pieces[end]
            target += [label, *[IGNORED] * rest]
            spans += [(end, end + 1), *[None] * rest]
            end += 1
        rows.append(Feature(index, (*ids, EOS), (*target, IGNORED), (*spans, None)))
        if end == len(pieces):
            break
        start = max(start + 1, end - (end - start) // 4)  # a quarter of the words again, with context before them
    return rows


def _span_rows(index: int, example: Question, vocabulary: Vocabulary, max_tokens: int) -> list[Feature]:
    """Windows over the context with a stride of a third; (0, 0), which is <s>, where the answer is outside."""
    question = vocabulary.encode(example.question)[: min(64, max_tokens // 2)]
    pieces = vocabulary.encode_with_offsets(example.context)
    room = max_tokens - len(question) - 4
    rows = []
    for start in range(0, max(len(pieces), 1), max(1, room - room // 3)):
        window = pieces[start : start + room]
        ids = (BOS, *question, EOS, EOS, *(piece for piece, _, _ in window), EOS)
        before = len(question) + 3
        spans = (*[None] * before, *((first, last) for _, first, last in window), None)
        rows.append(Feature(index, ids, _answer_tokens(example, spans), spans))
        if start + room >= len(pieces):
            break
    return rows


def _answer_tokens(example: Question, spans: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    if not example.answers:
        return 0, 0
    text, first = example.answers[0]
    last = first + len(text)
    inside = [i for i, span in enumerate(spans) if span and span[0] < span[1] and span[0] < last and span[1] > first]
    whole = inside and spans[inside[0]][0] <= first and spans[inside[-1]][1] >= last  # type: ignore[index]
    return (inside[0], inside[-1]) if whole else (0, 0)


def decode(
    benchmark: Benchmark, examples: Sequence[Example], rows: Sequence[Feature], logits: Sequence[Tensor]
) -> list[object]:
    """A prediction for every example: a label, a tuple of tags, or an answer text."""
    if benchmark.task == "classification":
        return [benchmark.labels[int(row.argmax())] for row in logits]
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
    starts, ends = (scores_T2[: len(row.spans), side].topk(count).indices.tolist() for side in (0, 1))
    best: tuple[float, int, int] | None = None
    for start in starts:
        for end in ends:
            first, last = row.spans[start], row.spans[end]
            if first is None or last is None or not start <= end < start + MAX_ANSWER_TOKENS or last[1] <= first[0]:
                continue
            score = float(scores_T2[start, 0] + scores_T2[end, 1])
            if best is None or score > best[0]:
                best = (score, first[0], last[1])
    return best
