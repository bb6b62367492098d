"""SQuAD v1.1's JSON, as MLQA, XQuAD and TyDi QA GoldP use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.readers.folders import Problems
from evaluation.readers.json_files import found_in, is_text, kind_of, read_json
from evaluation.records import DataError, Question

FORMAT = "SQuAD v1.1's JSON"


def read_squad(path: Path, *, train: bool = False, left_out: Counter[str] | None = None) -> tuple[Question, ...]:
    """All questions.  Raises DataError for a question without an answer text, or, to be scored, two with one id.

    Scores use answers' texts only.  Training uses their places: with `train`, a question whose answer does not stand
    where the file says is counted in `left_out`, and a file where none does is an error.
    """
    problems = Problems(path)
    questions = [
        question
        for place, context, asked in _asked(path, problems)
        if (question := _question(problems, place, context, asked))
    ]
    problems.check()
    if not questions:
        raise DataError(f"{path}: no question: wanted {FORMAT}")
    _check(path, questions, scored=not train)
    if not train:
        return tuple(questions)
    placed = tuple(question for question in questions if _is_placed(question))
    if not placed:
        raise DataError(f"{path}: none of {len(questions)} answers stands at its answer_start: wanted the place of its "
                        "first character in the context, from 0")  # fmt: skip
    if left_out is not None and len(placed) < len(questions):
        left_out[f"{path.name}: the answer is not at its place"] += len(questions) - len(placed)
    return placed


def _asked(path: Path, problems: Problems) -> Iterator[tuple[str, str, Any]]:
    """(place in the file, context, entry of `qas`)."""
    whole = read_json(path, FORMAT)
    if not isinstance(whole, dict) or not isinstance(whole.get("data"), list):
        found = "no list `data`" if isinstance(whole, dict) else kind_of(whole)
        raise DataError(f"{path}: {found}: wanted {FORMAT}")
    for article_place, article in enumerate(whole["data"]):
        for place, paragraph in _entries(problems, f"data[{article_place}]", article, "paragraphs"):
            context = paragraph.get("context") if isinstance(paragraph, dict) else None
            asked = list(_entries(problems, place, paragraph, "qas"))
            if asked and (not is_text(context) or not context.strip()):
                problems.add(place, f"{found_in(paragraph, 'context')}: wanted a text")
                continue
            yield from ((question_place, str(context), entry) for question_place, entry in asked)


def _entries(problems: Problems, place: str, holder: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(place, entry) of the list of that name."""
    entries = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(entries, list):
        yield from ((f"{place}.{name}[{index}]", entry) for index, entry in enumerate(entries))
    else:
        problems.add(place, f"no list `{name}`: wanted {FORMAT}")


def _question(problems: Problems, place: str, context: str, asked: Any) -> Question | None:
    if not isinstance(asked, dict):
        problems.add(place, f"{kind_of(asked)}: wanted id, question and answers")
        return None
    key, text, given = (asked.get(name) for name in ("id", "question", "answers"))
    if not is_text(key) and (not isinstance(key, int) or isinstance(key, bool)):
        problems.add(place, f"{found_in(asked, 'id')}: wanted a text")
    elif not is_text(text):
        problems.add(f"question {str(key)!r}", f"{found_in(asked, 'question')}: wanted a text")
    elif not isinstance(given, list):
        problems.add(f"question {str(key)!r}", "no list `answers`: wanted the file with its answers")
    else:
        answers = tuple(answer for entry in given if (answer := _answer(problems, str(key), entry)))
        return Question(str(key), text, context, answers) if len(answers) == len(given) else None
    return None


def _answer(problems: Problems, key: str, entry: Any) -> tuple[str, int] | None:
    text, start = (entry.get(name) if isinstance(entry, dict) else None for name in ("text", "answer_start"))
    if not is_text(text):
        problems.add(f"question {key!r}", f"answer with {found_in(entry, 'text')}: wanted a text")
    elif not isinstance(start, int) or isinstance(start, bool):
        problems.add(f"question {key!r}", f"{found_in(entry, 'answer_start')}: wanted a whole number")
    else:
        return text, start
    return None


def _check(path: Path, questions: list[Question], *, scored: bool) -> None:
    problems = Problems(path)
    repeated = {key for key, n in Counter(question.id for question in questions).items() if n > 1}
    for question in questions:
        if not question.answers:
            problems.add(f"question {question.id!r}", "no answer: wanted the file with its answers")
        elif not all(text.strip() for text, _ in question.answers):
            problems.add(f"question {question.id!r}", "an empty answer: wanted the file with its answers")
        elif scored and not question.question.strip():
            problems.add(f"question {question.id!r}", "no text of the question")
        elif scored and question.id in repeated:
            problems.add(f"question {question.id!r}", "two questions have this id")
    problems.check()


def _is_placed(question: Question) -> bool:
    text, first = question.answers[0]
    return first >= 0 and question.context[first : first + len(text)] == text
