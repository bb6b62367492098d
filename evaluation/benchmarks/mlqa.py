"""MLQA: answers in a text, 7 languages and their 49 pairs of context and question (Lewis et al. 2019).  Table 3.

Files: MLQA's test-context-LANG-question-LANG.json and its dev files; SQuAD's train-v1.1.json (or, where that is not
there, TyDi QA GoldP's English training file, which each result then names).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evaluation.benchmark import Benchmark, Published
from evaluation.metrics.metric import MLQA_EXACT, MLQA_F1
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import find, matching, merged
from evaluation.readers.parts import need_tests
from evaluation.readers.squad import read_squad
from evaluation.records import DataError, Parts, Question, Splits
from evaluation.settings import FinetuneConfig

TRAIN_FILES = ("train-v1.1.json", "tydiqa.goldp.en.train.json")
LANGUAGES = ("en", "es", "de", "ar", "hi", "vi", "zh")


def read(folder: Path, data: Path) -> Splits:
    left_out: Counter[str] = Counter()
    train_file = find_train(folder, data)
    train = read_squad(train_file, train=True, left_out=left_out)
    tests, devs = (matching(folder, f"{part}-context-??-question-??.json") for part in ("test", "dev"))
    _check_languages([*tests, *devs])
    if tests:
        dev = {name: questions for name, questions in merged(devs, read_gold).items() if "-" not in name}
        test = merged(tests, read_gold)
        need_tests(folder, dev, test)
        return Splits({"en": train}, dev, test, files=(train_file, *devs, *tests), left_out=left_out,
                      stand_in=stand_in(train_file))  # fmt: skip
    if not devs:
        raise DataError(f"{folder}: no such file: wanted test/test-context-en-question-en.json and its like")
    kept, rest = hold_out_contexts(train)
    test = merged(devs, read_gold)
    return Splits({"en": kept}, {"en": rest}, test, scored="dev", dev_is="held out from train",
                  files=(train_file, *devs), left_out=left_out, stand_in=stand_in(train_file))  # fmt: skip


def _check_languages(paths: Sequence[Path]) -> None:
    """Before anything is trained: MLQA's rules know no other languages."""
    for path in paths:
        for language in path.stem.split("-")[2::2]:
            if language not in LANGUAGES:
                raise DataError(f"{path}: language {language!r}: wanted one of {', '.join(LANGUAGES)}")


def find_train(folder: Path, data: Path) -> Path:
    """The training questions, in the benchmark's folder or anywhere below the data folder."""
    for place in (folder, data):
        if found := find(place, *TRAIN_FILES):
            return found
    raise DataError(f"{folder / TRAIN_FILES[0]}: no such file: put SQuAD's published training file there")


def stand_in(train_file: Path) -> str:
    return "" if train_file.name == TRAIN_FILES[0] else train_file.name


def hold_out_contexts(questions: Sequence[Question], every: int = 10) -> tuple[tuple[Question, ...], ...]:
    """(train, held out): all questions of each tenth context."""
    number = {context: index for index, context in enumerate(dict.fromkeys(q.context for q in questions))}
    kept = tuple(question for question in questions if number[question.context] % every)
    return kept, tuple(question for question in questions if not number[question.context] % every)


def read_gold(path: Path) -> Parts:
    """One file; its test set is `es`, or `es-de` for Spanish contexts with German questions."""
    parts = path.stem.split("-")
    if len(parts) == 5:
        context, question = parts[2], parts[4]
        return {context if context == question else f"{context}-{question}": read_squad(path)}
    return {path.stem: read_squad(path)}


def _row(system: str, languages: int, f1: tuple[float, ...], exact: tuple[float, ...]) -> Published:
    return Published(system, "transfer", dict(zip(LANGUAGES, f1, strict=False)), f1[-1] if len(f1) > 1 else None,
                     languages=languages, second=dict(zip(LANGUAGES, exact, strict=False)),
                     second_average=exact[-1] if len(exact) > 1 else None, table="3")  # fmt: skip


PUBLISHED = (
    _row("BERT-Large", 1, (80.2,), (67.4,)),
    _row("mBERT", 102, (77.7, 64.3, 57.9, 45.7, 43.8, 57.1, 57.5, 57.7),
         (65.2, 46.6, 44.3, 29.8, 29.7, 38.6, 37.3, 41.6)),
    _row("XLM-15", 15, (74.9, 68.0, 62.2, 54.8, 48.8, 61.4, 61.1, 61.6),
         (62.4, 49.8, 47.6, 36.3, 27.3, 41.8, 39.6, 43.5)),
    _row("XLM-R Base", 100, (77.1, 67.4, 60.9, 54.9, 59.4, 64.5, 61.8, 63.7),
         (64.6, 49.6, 46.7, 36.6, 42.9, 44.7, 39.3, 46.3)),
    _row("XLM-R", 100, (80.6, 74.1, 68.5, 63.1, 69.2, 71.3, 68.0, 70.7),
         (67.8, 56.0, 53.6, 43.5, 51.6, 50.9, 45.4, 52.7)),
)  # fmt: skip

# Of the sets whose questions are in the context's language (MLQA's README).
SIZES = {
    "test": {"en": 11590, "de": 4517, "es": 5254, "ar": 5335, "zh": 5137, "vi": 5495, "hi": 4918},
    "dev": {"en": 1148, "de": 512, "es": 500, "ar": 517, "zh": 504, "vi": 511, "hi": 507},
}

# Sizes and digests as the Hugging Face library `datasets` stated them (its dataset_infos.json of mlqa and squad).
MLQA_V1 = PublishedFile(
    "https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip", 75_719_050,
    "246e8089933d13007fe80684d5c5c0713d6834cf8b3b4a0ec7c66f0a0d2baac8", "mlqa",
    ("dev-context-*-question-*.json", "test-context-*-question-*.json"),
)  # fmt: skip
SQUAD_TRAIN = PublishedFile(
    "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json", 30_288_272,
    "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955", "mlqa/train-v1.1.json",
)  # fmt: skip

BENCHMARK = Benchmark(
    name="mlqa",
    title="MLQA (table 3)",
    task="span",
    folders=("mlqa",),
    read=read,
    read_gold=read_gold,
    metrics=(MLQA_F1, MLQA_EXACT),
    settings=("transfer",),
    licence="CC BY-SA 3.0; SQuAD CC BY-SA 4.0",
    home="https://github.com/facebookresearch/MLQA",
    chance=0.0,
    sizes=SIZES,
    published=PUBLISHED,
    published_files=PublishedFiles((MLQA_V1, SQUAD_TRAIN)),
    # MLQA's authors (their issue 9); the XLM-R paper's are not published.
    finetuning=FinetuneConfig(epochs=3, batch=32, learning_rate=3e-5, max_tokens=384, weight_decay=0.005),
)
