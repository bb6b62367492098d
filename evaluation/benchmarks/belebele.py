"""Belebele: the right one of four answers on a passage, 122 languages and scripts, romanised ones among them.

Files: LANG_Script.jsonl (Bandarkar et al. 2023), and the English training set that its script assembles, as
train.tsv or any .tsv with passage, question, answer1 to answer4, correct_answer_num, split.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ACCURACY
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import Problems, matching, merged
from evaluation.readers.json_files import found_in, is_text, json_rows
from evaluation.readers.tables import held_out, read_table
from evaluation.records import Choice, DataError, Parts, Splits
from evaluation.settings import FinetuneConfig

TRAIN_COLUMNS = ("passage", "question", "answer1", "answer2", "answer3", "answer4", "correct_answer_num")

TEXTS = ("flores_passage", "question", *(f"mc_answer{number}" for number in range(1, 5)))


def read(folder: Path, data: Path) -> Splits:
    tests, trains = matching(folder, "*_*.jsonl"), matching(folder, "*.tsv")
    if not tests or not trains:
        wanted = "eng_Latn.jsonl and its like" if trains else "a .tsv with the assembled training set"
        raise DataError(f"{folder}: no such file: wanted {wanted}")
    kept: list[Choice] = []
    rest: list[Choice] = []
    left_out: Counter[str] = Counter()
    for path in trains:
        for choice, part in read_train(path, left_out):
            (rest if part == "dev" else kept).append(choice)
    dev_is = "dev"
    train, dev = tuple(kept), tuple(rest)
    if not dev:
        dev_is = "held out from train"
        train, dev = held_out(train)
    if not train:
        raise DataError(f"{trains[0]}: no row of the part train with passage, question and 4 answers")
    test = merged(tests, read_gold)
    return Splits({"eng_Latn": train}, {"eng_Latn": dev}, test, dev_is=dev_is,  # type: ignore[arg-type]
                  files=(*trains, *tests), left_out=left_out)  # fmt: skip


def read_train(path: Path, left_out: Counter[str]) -> list[tuple[Choice, str]]:
    """(choice, its part: train or dev).  A row whose passage, question or an answer is empty is counted."""
    problems, found = Problems(path), []
    for line, row in read_table(path, TRAIN_COLUMNS, quoting="records"):
        answers = [row[f"answer{number}"] for number in range(1, 5)]
        if not all(text.strip() for text in (row["passage"], row["question"], *answers)):
            left_out[f"{path.name}: an empty passage, question or answer"] += 1
            continue
        right = row["correct_answer_num"].removesuffix(".0")  # pandas, where a row of the column is empty
        choice = _choice(problems, f"line {line}", row["passage"], row["question"], answers, right)
        if choice:
            found.append((choice, row.get("split", "train")))
    problems.check()
    return found


def read_gold(path: Path) -> Parts:
    problems, found = Problems(path), []
    asked: dict[tuple[str, str], int] = {}
    for number, row in json_rows(path, problems, f"an object with {', '.join(TEXTS)}, correct_answer_num"):
        place = f"line {number}"
        if wrong := [name for name in TEXTS if not is_text(row.get(name))]:
            problems.add(place, f"{found_in(row, wrong[0])}: wanted a text")
            continue
        key = str(row.get("link")), str(row.get("question_number"))
        if "link" in row and key in asked:
            problems.add(place, f"question {key[1]} of {key[0]} stands in line {asked[key]} too")
            continue
        asked[key] = number
        passage, question, *answers = (row[name] for name in TEXTS)
        if choice := _choice(problems, place, passage, question, answers, str(row.get("correct_answer_num"))):
            found.append(choice)
    problems.check()
    if not found:
        raise DataError(f"{path}: no question")
    return {path.stem: tuple(found)}


def _choice(
    problems: Problems, place: str, passage: str, question: str, answers: list[str], right: str
) -> Choice | None:
    """`right` counts from 1 in the files."""
    if right not in ("1", "2", "3", "4"):
        problems.add(place, f"correct answer {right!r}: wanted 1, 2, 3 or 4")
    elif not all(text.strip() for text in (passage, question, *answers)):
        problems.add(place, "an empty passage, question or answer")
    else:
        return Choice(passage, question, tuple(answers), int(right) - 1)
    return None


# Its authors state neither size nor digest; a user of the archive states this digest.
PUBLISHED_FILES = PublishedFiles(
    (PublishedFile("https://dl.fbaipublicfiles.com/belebele/Belebele.zip", 0,
                   "c645e750e111404806751509b5aa3f808a01e6029cd225d37e966dc694aca9e4", "belebele", ("*_*.jsonl",)),),
    by_hand="the English training set is assembled from other data sets by the authors' assemble_training_set.py: put "
    "its .tsv into the folder belebele of a data folder, and give that with --data",
    is_enough=False,
)  # fmt: skip

BENCHMARK = Benchmark(
    name="belebele",
    title="Belebele",
    task="choice",
    folders=("belebele",),
    read=read,
    read_gold=read_gold,
    metrics=(ACCURACY,),
    settings=("transfer",),
    licence="CC BY-SA 4.0; the training set has several, some of them non-commercial",
    home="https://github.com/facebookresearch/belebele",
    labels=("1", "2", "3", "4"),
    source="eng_Latn",
    chance=25.0,
    sizes={"test": {"": 900}},
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=3, batch=8, learning_rate=1e-5, max_tokens=512),
)
