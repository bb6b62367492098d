"""Examples as rows of token ids with what a head shall say at them; no torch.

A long sentence or context gives several overlapping rows; a long pair is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.benchmark import Benchmark
from evaluation.records import Choice, Classified, Example, Question, Rated, Tagged

if TYPE_CHECKING:
    from evaluation.encoders import Tokenizer

IGNORED = -100
MAX_QUESTION_TOKENS = 64  # BERT's SQuAD code
MAX_ANSWER_TOKENS = 30  # the same
ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of a batch.  `target` is (class,) or (value,), or a class for each token, or (start, end).

    `spans` say which characters of the context, or which word, a token stands for; None for other tokens.
    `types` are the token types, empty where all are 0.
    """

    example: int
    ids: tuple[int, ...]
    target: tuple[float, ...]
    spans: tuple[tuple[int, int] | None, ...] = ()
    types: tuple[int, ...] = ()


def features_of(
    examples: Sequence[Example], benchmark: Benchmark, tokenizer: Tokenizer, max_tokens: int
) -> list[Feature]:
    """All rows of the examples, in their order; a choice gives one row for each answer."""
    if benchmark.task == "tagging":
        tagged = [example for example in examples if isinstance(example, Tagged)]
        return _tagging_rows(tagged, benchmark.labels, tokenizer, max_tokens)
    if benchmark.task == "span":
        questions = [example for example in examples if isinstance(example, Question)]
        return list(_span_rows(questions, tokenizer, max_tokens))
    return _text_rows([_texts(index, example, benchmark) for index, example in enumerate(examples)], tokenizer,
                      max_tokens)  # fmt: skip


Texts = list[tuple[int, str, str | None, float]]  # example, first, second, target


def _texts(index: int, example: Example, benchmark: Benchmark) -> Texts:
    if isinstance(example, Classified):
        return [(index, example.first, example.second, float(benchmark.labels.index(example.label)))]
    if isinstance(example, Rated):
        return [(index, example.first, example.second, example.value)]
    assert isinstance(example, Choice)
    return [
        (index, example.passage, f"{example.question} {answer}", float(example.right)) for answer in example.answers
    ]


def _text_rows(groups: Sequence[Texts], tokenizer: Tokenizer, max_tokens: int) -> list[Feature]:
    texts = [row for group in groups for row in group]
    firsts = tokenizer.encode([first for _, first, _, _ in texts])
    seconds = tokenizer.encode([second or "" for _, _, second, _ in texts])
    rows = []
    for (index, _, second_text, target), first, second in zip(texts, firsts, seconds, strict=True):
        frame = tokenizer.single if second_text is None else tokenizer.pair
        first, second = cut_pair(first, second, max_tokens - frame.size)
        types = frame.join_types(len(first), len(second))
        rows.append(Feature(index, frame.join(first, second), (target,), types=types))
    return rows


def cut_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Both within `room` together: the longer part loses its end, and the first where they are equal."""
    if len(first) + len(second) <= room:
        return first, second
    half = room // 2
    if len(second) <= room - half:
        return first[: room - len(second)], second
    if len(first) <= half:
        return first, second[: room - len(first)]
    return first[:half], second[: room - half]


def _tagging_rows(
    sentences: Sequence[Tagged], labels: Sequence[str], tokenizer: Tokenizer, max_tokens: int
) -> list[Feature]:
    """Windows over the words; each word's label lies on its first token.  A word without a piece is unknown."""
    words = list(dict.fromkeys(word for sentence in sentences for word in sentence.words))
    room = max_tokens - tokenizer.single.size
    pieces = {word: ids[:room] or [tokenizer.unknown] for word, ids in
              zip(words, tokenizer.encode_words(words), strict=True)}  # fmt: skip
    place = {label: index for index, label in enumerate(labels)}
    return [
        row
        for index, sentence in enumerate(sentences)
        for row in _windows(index, sentence, [pieces[word] for word in sentence.words], place, tokenizer, room)
    ]


def _windows(
    index: int, sentence: Tagged, pieces: list[list[int]], place: dict[str, int], tokenizer: Tokenizer, room: int
) -> Iterator[Feature]:
    frame = tokenizer.single
    ignored, no_word = [IGNORED] * len(frame.before), [None] * len(frame.before)
    start = 0
    while start < len(pieces):
        ids: list[int] = []
        target: list[int] = list(ignored)
        spans: list[tuple[int, int] | None] = list(no_word)
        end = start
        while end < len(pieces) and len(ids) + len(pieces[end]) <= room:
            rest = len(pieces[end]) - 1
            ids += pieces[end]
            target += [place[sentence.tags[end]], *[IGNORED] * rest]
            spans += [(end, end + 1), *[None] * rest]
            end += 1
        tail = len(frame.after)
        yield Feature(index, frame.join(ids), (*target, *[IGNORED] * tail), (*spans, *[None] * tail),
                      frame.join_types(len(ids)))  # fmt: skip
        if end == len(pieces):
            return
        start = max(start + 1, end - (end - start) // 4)  # a quarter of the words again, with context before them


def _span_rows(questions: Sequence[Question], tokenizer: Tokenizer, max_tokens: int) -> Iterator[Feature]:
    """Windows over the context with a stride of a third; (0, 0), the first token, where the answer is outside."""
    frame = tokenizer.pair
    asked = tokenizer.encode([question.question for question in questions])
    context, pieces = "", list[tuple[int, int, int]]()
    for index, (question, ids) in enumerate(zip(questions, asked, strict=True)):
        if question.context != context:  # questions of one context stand together
            context, pieces = question.context, tokenizer.encode_with_offsets(question.context)
        ids = ids[: min(MAX_QUESTION_TOKENS, max_tokens // 2)]
        room = max_tokens - len(ids) - frame.size
        before = len(frame.before) + len(ids) + len(frame.between)
        for start in range(0, max(len(pieces), 1), max(1, room - room // 3)):
            window = pieces[start : start + room]
            places = ((first, last) for _, first, last in window)
            spans = (*[None] * before, *places, *[None] * len(frame.after))
            row = frame.join(ids, [piece for piece, _, _ in window])
            types = frame.join_types(len(ids), len(window))
            yield Feature(index, row, answer_tokens(question, spans), spans, types)
            if start + room >= len(pieces):
                break


def answer_tokens(question: Question, spans: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    """First and last token of the first answer; (0, 0) where the window does not hold all of it."""
    if not question.answers:
        return 0, 0
    text, first = question.answers[0]
    last = first + len(text)
    inside = [i for i, span in enumerate(spans) if span and span[0] < span[1] and span[0] < last and span[1] > first]
    if not inside:
        return 0, 0
    begins, ends = spans[inside[0]], spans[inside[-1]]
    assert begins
    assert ends
    return (inside[0], inside[-1]) if begins[0] <= first and ends[1] >= last else (0, 0)
