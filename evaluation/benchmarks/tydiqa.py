"""TyDi QA, gold passage task, 9 languages (Clark et al. 2020), scored with SQuAD's own script.

Files: the published tydiqa-goldp-v1.1-train.json and -dev.json, or tydiqa-goldp-dev-LANGUAGE.json, whose questions' ids
begin with the language's name; or XTREME's tydiqa.goldp.LANG.train.json and tydiqa.goldp.LANG.dev.json (in its first
version without `goldp`), of which the dev files must have their answers, as published.  The dev set is
what is scored; its test is not public.  The mean is its authors', over all languages but English (their
gold_passage_baseline/README.md); XTREME's mean has English too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import mlqa
from evaluation.metrics.metric import SQUAD_EXACT, SQUAD_F1
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import Problems, find, matching, merged
from evaluation.readers.squad import read_squad
from evaluation.records import DataError, Parts, Question, Splits
from evaluation.settings import FinetuneConfig

LANGUAGES = {"arabic": "ar", "bengali": "bn", "english": "en", "finnish": "fi", "indonesian": "id", "korean": "ko",
             "russian": "ru", "swahili": "sw", "telugu": "te"}  # fmt: skip


def read(folder: Path, data: Path) -> Splits:
    left_out: Counter[str] = Counter()
    train_files, dev_files = (_files(folder, part) for part in ("train", "dev"))
    if not dev_files or not train_files:
        raise DataError(f"{folder}: no such file: wanted tydiqa-goldp-v1.1-dev.json and -train.json")
    train = merged(train_files, lambda path: _parts(path, read_squad(path, train=True, left_out=left_out)))
    parts = {name: mlqa.hold_out_contexts(questions) for name, questions in train.items()}  # type: ignore[arg-type]
    return Splits({name: kept for name, (kept, _) in parts.items()}, {name: rest for name, (_, rest) in parts.items()},
                  merged(dev_files, read_gold), scored="dev",
                  dev_is="held out from train", files=(*train_files, *dev_files), left_out=left_out)  # fmt: skip


def _files(folder: Path, part: str) -> list[Path]:
    """All languages in one file, or a file a language: as published (dev's archive), or as XTREME renames them."""
    published = find(folder, f"tydiqa-goldp-v1.1-{part}.json")
    if published:
        return [published]
    patterns = (f"tydiqa-goldp-{part}-*.json", f"tydiqa.goldp.??.{part}.json", f"tydiqa.??.{part}.json")
    return next((found for pattern in patterns if (found := matching(folder, pattern))), [])


def read_gold(path: Path) -> Parts:
    return _parts(path, read_squad(path))


def _parts(path: Path, questions: tuple[Question, ...]) -> dict[str, tuple[Question, ...]]:
    """By the file's name, or by the ids' beginnings.  Raises DataError for an id that begins with no language."""
    if path.name.startswith("tydiqa."):
        return {path.name.split(".")[-3]: questions}
    problems, found = Problems(path), dict[str, list[Question]]()
    for question in questions:
        name = question.id.split("-")[0]
        if name not in LANGUAGES:
            problems.add(f"question {question.id!r}", f"wanted an id that begins with one of {', '.join(LANGUAGES)}")
        found.setdefault(LANGUAGES.get(name, name), []).append(question)
    if not path.name.startswith("tydiqa-goldp") and not set(found) & set(LANGUAGES.values()):
        return {path.stem: questions}
    problems.check()
    return {language: tuple(rows) for language, rows in found.items()}


# Sizes and digests as the Hugging Face library `datasets` stated them (its dataset_infos.json of tydiqa).
PUBLISHED_FILES = PublishedFiles((
    PublishedFile("https://storage.googleapis.com/tydiqa/v1.1/tydiqa-goldp-v1.1-train.json", 58_004_076,
                  "cefc8e09ff2548d9b10a678d3a6bbbe5bc036be543f92418819ea676c97be23b",
                  "tydiqa/tydiqa-goldp-v1.1-train.json"),
    PublishedFile("https://storage.googleapis.com/tydiqa/v1.1/tydiqa-goldp-v1.1-dev.json", 5_617_409,
                  "b286e0f34bc7f52259359989716f369b160565bd12ad8f3a3e311f9b0dbad1c0",
                  "tydiqa/tydiqa-goldp-v1.1-dev.json"),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="tydiqa",
    title="TyDi QA, gold passage",
    task="span",
    folders=("tydiqa", "tydiqa_goldp"),
    read=read,
    read_gold=read_gold,
    metrics=(SQUAD_F1, SQUAD_EXACT),
    settings=("transfer", "each", "all"),
    not_averaged=("en",),
    licence="Apache-2.0",
    home="https://github.com/google-research-datasets/tydiqa",
    chance=0.0,
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=3, batch=32, learning_rate=3e-5, max_tokens=384),  # XTREME
)
