"""SQuAD v1.1's JSON, as MLQA, XQuAD and TyDi QA GoldP use it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from evaluation.readers.folders import Problems, read_text
from evaluation.records import DataError, Question


def read_squad(path: Path, *, train: bool = False, left_out: Counter[str] | None = None) -> tuple[Question, ...]:
    """All questions.  Raises DataError for a question without an answer text, or, to be scored, two with one id.

    Scores use answers' texts only.  Training uses their places: with `train`, a question whose answer does not stand
    where the file says is counted in `left_out`.
    """
    try:
        articles = json.loads(read_text(path))["data"]
        found = [
            (paragraph["context"], qa)
            for article in articles
            for paragraph in article["paragraphs"]
            for qa in paragraph["qas"]
        ]
        questions = [_question(context, qa) for context, qa in found]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: {error!r}: wanted SQuAD v1.1's JSON") from error
    if not questions:
        raise DataError(f"{path}: no question: wanted SQuAD v1.1's JSON")
    _check(path, questions, unique=not train)
    if not train:
        return tuple(questions)
    placed = tuple(question for question in questions if _is_placed(question))
    if left_out is not None and len(placed) < len(questions):
        left_out[f"{path.name}: the answer is not at its place"] += len(questions) - len(placed)
    return placed


def _question(context: str, qa: dict[str, Any]) -> Question:
    answers = tuple((str(answer["text"]), int(answer["answer_start"])) for answer in qa["answers"])
    return Question(str(qa["id"]), str(qa["question"]), context, answers)


def _check(path: Path, questions: list[Question], *, unique: bool) -> None:
    problems = Problems(path)
    repeated = {key for key, n in Counter(question.id for question in questions).items() if n > 1}
    for question in questions:
        if not question.answers:
            problems.add(f"question {question.id!r}", "no answer: wanted the file with its answers")
        elif not all(text.strip() for text, _ in question.answers):
            problems.add(f"question {question.id!r}", "an empty answer: wanted the file with its answers")
        elif unique and question.id in repeated:
            problems.add(f"question {question.id!r}", "two questions have this id")
    problems.check()


def _is_placed(question: Question) -> bool:
    text, first = question.answers[0]
    return question.context[first : first + len(text)] == text
