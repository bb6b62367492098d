"""PAWS-X: do two sentences with the same words mean the same, 7 languages (Yang et al. 2019).

Files: LANG/train.tsv or LANG/translated_train.tsv, LANG/dev_2k.tsv, LANG/test_2k.tsv (id, sentence1, sentence2,
label), or XTREME's train-en.tsv, dev-LANG.tsv, test-LANG.tsv with labels.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ACCURACY
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import by_language, matching
from evaluation.readers.parts import dev_as_test, need_tests
from evaluation.readers.tables import classified, header_of, read_table, rows_without_header
from evaluation.records import Classified, DataError, Parts, Splits
from evaluation.settings import FinetuneConfig

LABELS = {"0": "0", "1": "1"}
COLUMNS = ("sentence1", "sentence2", "label")
NOT_TRANSLATED = ("NS", "")  # stand for a sentence that the translators left out


def read(folder: Path, data: Path) -> Splits:
    left_out: Counter[str] = Counter()
    train_files = _by_language(folder, "train.tsv", "translated_train.tsv", "train-??.tsv")
    dev_files = _by_language(folder, "dev_2k.tsv", "dev-??.tsv")
    test_files = _by_language(folder, "test_2k.tsv", "test-??.tsv")
    if not dev_files and not test_files:
        raise DataError(f"{folder}: no file: wanted LANG/dev_2k.tsv and LANG/test_2k.tsv")
    train = {language: read_train(path, left_out) for language, path in train_files.items()}
    dev = {language: read_file(path) for language, path in dev_files.items()}
    test = {language: read_file(path) for language, path in test_files.items()}
    files = (*train_files.values(), *dev_files.values(), *test_files.values())
    if test:
        need_tests(folder, (*train, *dev), test)
        return Splits(train, dev, test, files=files, left_out=left_out)
    return dev_as_test(Splits(train, {}, dev, files=files, left_out=left_out))


def _by_language(folder: Path, *patterns: str) -> dict[str, Path]:
    """Language from the name (XTREME) or from the folder (as published); the first pattern wins."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        named = ((path.stem.rsplit("-", 1)[1] if "-??" in pattern else path.parent.name, path) for path in
                 matching(folder, pattern))  # fmt: skip
        found = by_language(named) | found
    return found


def read_train(path: Path, left_out: Counter[str]) -> tuple[Classified, ...]:
    """Rows without a label, or with a sentence that was not translated, are counted.  Raises DataError if all are."""
    place, short, kept = f"{path.parent.name}/{path.name}", Counter[str](), []
    for row in _rows(path, short):
        if row[3] not in LABELS:
            left_out[f"{place}: no label"] += 1
        elif any(text.strip() in NOT_TRANSLATED for text in row[1:3]):
            left_out[f"{place}: not translated"] += 1
        else:
            kept.append(row)
    for reason, rows in short.items():  # a row that is too short has lost its label
        left_out[f"{place}: {'no label' if 'fewer' in reason else 'more columns than the header'}"] += rows
    if not kept:
        raise DataError(f"{path}: no row has two sentences and a label, 0 or 1")
    return classified(path, kept, LABELS)


def read_file(path: Path) -> tuple[Classified, ...]:
    return classified(path, _rows(path), LABELS)


def _rows(path: Path, left_out: Counter[str] | None = None) -> list[tuple[int, str, str, str]]:
    """(line, first sentence, second sentence, label).  Rows that end before their label are errors, or counted."""
    if "sentence1" not in header_of(path):
        return rows_without_header(path)
    rows = read_table(path, COLUMNS, left_out=left_out)
    return [(line, row["sentence1"], row["sentence2"], row["label"]) for line, row in rows]


def read_gold(path: Path) -> Parts:
    language = path.stem.rsplit("-", 1)[1] if "-" in path.stem else path.parent.name
    return {language: read_file(path)}


# Size and digest as the Hugging Face library `datasets` stated them (its dataset_infos.json of paws-x).
PUBLISHED_FILES = PublishedFiles((
    PublishedFile("https://storage.googleapis.com/paws/pawsx/x-final.tar.gz", 30_282_057,
                  "4146db499101d66e68ae4c8ed3cf9dadecd625f44b7d8cf3d4a0fe93afc4fd9f", "pawsx",
                  ("en/train.tsv", "*/translated_train.tsv", "*/dev_2k.tsv", "*/test_2k.tsv")),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="pawsx",
    title="PAWS-X",
    task="classification",
    folders=("pawsx", "paws-x", "x-final"),
    read=read,
    read_gold=read_gold,
    metrics=(ACCURACY,),
    settings=("transfer", "translate-train", "translate-train-all"),
    licence="free to use with attribution to Google",
    home="https://github.com/google-research-datasets/paws",
    labels=("0", "1"),
    chance=50.0,
    sizes={"test": {"": 2000}, "dev": {"": 2000}},
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=5, batch=32, learning_rate=2e-5, max_tokens=128),  # XTREME
)
