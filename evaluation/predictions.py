"""Files of predictions in the forms that official scorers take, and checks of predictions before they are scored."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.readers.conll import DOCUMENT_START, NO_ENTITY_TYPES, columns_of
from evaluation.readers.folders import Problems, lines_of, shortened
from evaluation.readers.json_files import json_value, kind_of, read_json
from evaluation.records import DataError, Example, Question, Tagged

log = logging.getLogger(__name__)
TAG = re.compile(r"O|[BI]-\S+")
GLUE_HEADER = ("index", "prediction")
LARGEST = 1e100  # its square is still a number
NUMBER = re.compile(
    r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
)  # float() also reads 1_0, nan and other digits
PLACE = re.compile(r"[0-9]{1,18}")


def read_predictions(path: Path, benchmark: Benchmark, gold: Sequence[Example]) -> list[object]:
    """A prediction for each example, None for a question that was not answered.  Raises DataError.

    Answers: JSON, id -> text.  Tags: a word and its tag, or a tag alone, a line, an empty line after a sentence.
    Labels and numbers: one a line, or GLUE's index and prediction.  Any task: a JSON value a line (.jsonl), as kept
    by an evaluation.
    """
    if path.suffix == ".jsonl":
        found = _json_lines(path, benchmark)
    elif benchmark.task == "span":
        return _answers(path, gold)
    elif benchmark.task == "tagging":
        found = _tags(path, benchmark, gold)
    else:
        found = _values(path, benchmark)
    if len(found) != len(gold):
        raise DataError(f"{path}: {len(found)} predictions for {len(gold)} examples: wanted one for each")
    check_predictions(benchmark, gold, found, str(path))
    return found


def _json_lines(path: Path, benchmark: Benchmark) -> list[object]:
    problems, found = Problems(path), list[object]()
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            value = json_value(line)
        except ValueError as error:
            problems.add(f"line {number}", f"{error}: wanted a JSON value")
            continue
        found.append(tuple(value) if isinstance(value, list) else value)
    problems.check()
    return found


def _answers(path: Path, gold: Sequence[Example]) -> list[object]:
    """MLQA's and SQuAD's form.  As in the official scripts, ids that the gold file does not have are left out, and a
    question that is not answered scores 0, and the last of two answers counts; each is told."""
    repeated: list[str] = []
    given = read_json(path, "a JSON object, question id -> answer", repeated)
    if not isinstance(given, dict):
        raise DataError(f"{path}: {kind_of(given)}: wanted a JSON object, question id -> answer")
    questions = [question for question in gold if isinstance(question, Question)]
    problems = Problems(path)
    for question in questions:
        if question.id in given and not isinstance(given[question.id], str):
            problems.add(f"question {question.id!r}", f"answer {given[question.id]!r}: wanted a text")
    problems.check()
    if not any(question.id in given for question in questions):
        raise DataError(f"{path}: no answer to any of the {len(questions)} questions: is it another file's?")
    _tell(path, questions, given, repeated)
    return [given.get(question.id) for question in questions]


def _tell(path: Path, questions: Sequence[Question], given: Mapping[str, object], repeated: Sequence[str]) -> None:
    known = {question.id for question in questions}
    told = {
        "questions have no answer and score 0": known - set(given),
        "answers are to no question of the gold file and are left out": set(given) - known,
        "ids have two answers, of which the last counts": set(repeated),
    }
    for said, ids in told.items():
        if ids:
            log.warning("%s: %d %s, such as %r", path, len(ids), said, min(ids))


def _tags(path: Path, benchmark: Benchmark, gold: Sequence[Example]) -> list[object]:
    """The last column, or, of lines as the benchmark's own files have them, the column of its tags.

    What counts as no entity in Universal NER's files counts as none in predictions.  Words that are not the gold
    file's are told: they may be of another order.
    """
    problems, sentences, tags, words = Problems(path), list[object](), list[str](), list[tuple[int, str]]()
    numbered = benchmark.tag_column > 0
    for number, line in [*lines_of(path), (0, "")]:
        columns = columns_of(line)
        if numbered and line.startswith("#") and not _is_word_and_tag(columns):
            continue  # a comment of Universal NER's files
        if not columns or columns[0] == DOCUMENT_START:
            sentences += [tuple(tags)] if tags else []
            tags = []
            continue
        tag = columns[benchmark.tag_column if numbered and len(columns) > benchmark.tag_column else -1]
        if TAG.fullmatch(tag):
            own = columns[int(numbered and len(columns) > benchmark.tag_column)]
            words.append((number, own if len(columns) > 1 and not TAG.fullmatch(own) else ""))
            tags.append("O" if numbered and tag[2:] in NO_ENTITY_TYPES else tag)
        else:
            problems.add(f"line {number}", f"tag {tag!r}: wanted O, B-TYPE or I-TYPE")
    problems.check()
    _tell_other_words(path, words, [word for each in gold if isinstance(each, Tagged) for word in each.words])
    return sentences


def _tell_other_words(path: Path, words: Sequence[tuple[int, str]], gold: Sequence[str]) -> None:
    """Lines with a tag alone have no word to compare; numbers of words and sentences are compared later."""
    if len(words) != len(gold):
        return
    others = [(line, word, own) for (line, word), own in zip(words, gold, strict=True) if word and word != own]
    if others:
        log.warning("%s: %d of %d words are not those of the gold file, first in line %d: %r for %r", path, len(others),
                    len(gold), *others[0])  # fmt: skip


def _is_word_and_tag(columns: Sequence[str]) -> bool:
    return len(columns) == 2 and TAG.fullmatch(columns[1]) is not None


def _values(path: Path, benchmark: Benchmark) -> list[object]:
    """Labels, numbers, or places of lines (retrieval, from 0)."""
    lines = lines_of(path)
    while lines and not lines[-1][1].strip():
        lines.pop()
    tabular = bool(lines) and tuple(lines[0][1].lower().split("\t")[:2]) == GLUE_HEADER
    problems, found = Problems(path), list[object]()
    for number, line in lines[tabular:]:
        text = line.split("\t")[-1].strip() if tabular else line.strip()
        value = _value(text, benchmark)
        if value is None:
            problems.add(f"line {number}", f"{repr(text) if text else 'no prediction'}: wanted {_wanted(benchmark)}")
        found.append(value)
    problems.check()
    return _by_index(path, lines[1:], found) if tabular else found


def _by_index(path: Path, lines: Sequence[tuple[int, str]], found: list[object]) -> list[object]:
    """In the order of GLUE's indices, which are the examples' places from 0."""
    problems, placed = Problems(path), dict[str, object]()
    wanted = [str(place) for place in range(len(found))]
    allowed = set(wanted)
    for (number, line), value in zip(lines, found, strict=True):
        index = line.split("\t")[0].strip()
        if index not in allowed or index in placed:
            said = "is there twice" if index in placed else f"wanted 0 to {len(found) - 1}, each once"
            problems.add(f"line {number}", f"index {index!r}: {said}")
        placed[index] = value
    problems.check()
    return [placed[index] for index in wanted]


def _value(text: str, benchmark: Benchmark) -> object:
    if benchmark.task == "regression":
        return float(text) if NUMBER.fullmatch(text) else None
    if benchmark.task == "retrieval":
        return int(text) if PLACE.fullmatch(text) else None
    return text if text in benchmark.labels else None


def _wanted(benchmark: Benchmark) -> str:
    kinds = {"regression": f"a finite number, at most {LARGEST:g}", "retrieval": "a line's number from 0"}
    return kinds.get(benchmark.task, " or ".join(benchmark.labels))


def check_predictions(benchmark: Benchmark, gold: Sequence[Example], predicted: Sequence[object], where: str) -> None:
    """Raises DataError for the first prediction that is not of the benchmark's kind."""
    for number, (example, found) in enumerate(zip(gold, predicted, strict=True), 1):
        if benchmark.task == "span":
            wrong = found is not None and not isinstance(found, str)
        elif benchmark.task == "tagging":
            assert isinstance(example, Tagged)
            wrong = not isinstance(found, tuple) or not all(
                isinstance(tag, str) and TAG.fullmatch(tag) for tag in found
            )
            if not wrong and isinstance(found, tuple) and len(found) != len(example.words):
                raise DataError(f"{where}: sentence {number}: {len(found)} tags for {len(example.words)} words")
        elif benchmark.task == "regression":
            wrong = isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= LARGEST
        elif benchmark.task == "retrieval":
            wrong = isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < len(gold)
        else:
            wrong = found not in benchmark.labels
        if wrong:
            raise DataError(f"{where}: prediction {number} is {shortened(repr(found))}: wanted {_kind(benchmark)}")


def _kind(benchmark: Benchmark) -> str:
    kinds = {
        "span": "a text",
        "tagging": "a tag (O, B-TYPE or I-TYPE) for each word",
    }
    return kinds.get(benchmark.task) or _wanted(benchmark)
