"""XNLI: does a sentence follow from another, 15 languages (Conneau et al. 2018).  Tables 1 and 5 of the XLM-R paper.

Files: xnli.dev and xnli.test (.tsv or .jsonl, all languages), or XTREME's dev-LANG.tsv and test-LANG.tsv with labels;
multinli.train.LANG.tsv or train-LANG.tsv; for translate-test XNLI-MT's xnli.test.en.tsv, or LANG.trans.test.tsv.
"""

from __future__ import annotations

import re
from pathlib import Path

from evaluation.benchmark import Benchmark, Published
from evaluation.metrics.metric import ACCURACY
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import Problems, by_language, matching, merged, need
from evaluation.readers.json_files import found_in, is_text, json_rows
from evaluation.readers.parts import need_tests
from evaluation.readers.tables import classified, header_of, read_classified, read_pairs_without_header, read_table
from evaluation.records import Classified, DataError, Parts, Splits
from evaluation.settings import FinetuneConfig, Setting

LABELS = ("entailment", "neutral", "contradiction")
# XNLI-MT spells the third label differently from XNLI.
ACCEPTED = {name: name for name in LABELS} | {"contradictory": "contradiction"}
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]+)?")
COLUMNS = ("language", "gold_label", "sentence1", "sentence2")
LANGUAGES = ("en", "fr", "es", "de", "el", "bg", "ru", "tr", "ar", "vi", "th", "zh", "hi", "sw", "ur")


def read(folder: Path, data: Path) -> Splits:
    dev_files, test_files = find_part(folder, "dev"), find_part(folder, "test")
    if not dev_files or not test_files:
        part = "test" if dev_files else "dev"
        raise DataError(f"{folder}: no {part} file: wanted xnli.{part}.tsv, xnli.{part}.jsonl or {part}-LANG.tsv")
    dev, test = merged(dev_files, read_gold), merged(test_files, read_gold)
    need_tests(folder, dev, test)
    train_files = find_train(folder)
    translated = matching(folder, "xnli.test.en.tsv") + matching(folder, "*.trans.test.tsv")
    return Splits(
        train={language: read_train(path) for language, path in train_files.items()},
        dev=dev,
        test=test,
        translated_test=merged(translated, read_gold),
        files=(*train_files.values(), *dev_files, *test_files, *translated),
    )


def find_part(folder: Path, part: str) -> list[Path]:
    """The official file with all languages where it is there, else XTREME's files."""
    official = matching(folder, f"xnli.{part}.tsv") or matching(folder, f"xnli.{part}.jsonl")
    return official or matching(folder, f"{part}-??.tsv")


def find_train(folder: Path) -> dict[str, Path]:
    """language -> its training file; the English one must be there."""
    found = by_language((path.stem.rsplit("-", 1)[1], path) for path in matching(folder, "train-??.tsv"))
    found |= by_language((path.stem.rsplit(".", 1)[1], path) for path in matching(folder, "multinli.train.*.tsv"))
    return {"en": found.get("en") or need(folder, "multinli.train.en.tsv"), **found}


def read_train(path: Path) -> tuple[Classified, ...]:
    """XNLI-MT with its header, or XTREME's layout without."""
    if path.name.startswith("train-"):
        return read_pairs_without_header(path, ACCEPTED)
    return read_classified(path, ("premise", "hypo", "label"), ACCEPTED)


def read_gold(path: Path) -> Parts:
    """One dev or test file, by language in the file's order."""
    if path.suffix == ".jsonl":
        return pairs_by_language(path, _json_rows(path))
    if path.name.endswith(".trans.test.tsv"):
        columns = ("sentence1_en", "sentence2_en", "label")
        return {path.name.split(".")[0]: read_classified(path, columns, ACCEPTED)}
    header = header_of(path)
    if "gold_label" not in header and "sentence1" not in header:
        return {path.stem.rsplit("-", 1)[-1]: read_pairs_without_header(path, ACCEPTED)}
    return pairs_by_language(path, read_table(path, COLUMNS))


def gold_order(path: Path) -> list[str]:
    """The language of each row; empty for a file of one language."""
    if path.suffix == ".jsonl":
        return [row["language"] for _, row in _json_rows(path)]
    if "language" in header_of(path):
        return [row["language"] for _, row in read_table(path, ("language",))]
    return []


def _json_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    problems, rows = Problems(path), []
    for number, row in json_rows(path, problems, f"an object with {', '.join(COLUMNS)}"):
        if wrong := [key for key in COLUMNS if not is_text(row.get(key))]:
            problems.add(f"line {number}", f"{found_in(row, wrong[0])}: wanted a text")
        else:
            rows.append((number, {key: row[key] for key in COLUMNS}))
    problems.check()
    if not rows:
        raise DataError(f"{path}: no row")
    return rows


def pairs_by_language(
    path: Path, rows: list[tuple[int, dict[str, str]]], columns: tuple[str, str, str, str] = COLUMNS
) -> Parts:
    """`columns`: language, label, premise, hypothesis.  Raises DataError."""
    language, label, premise, hypothesis = columns
    pairs = classified(path, ((line, row[premise], row[hypothesis], row[label]) for line, row in rows), ACCEPTED)
    problems, found = Problems(path), dict[str, list[Classified]]()
    for (line, row), pair in zip(rows, pairs, strict=True):
        if not LANGUAGE.fullmatch(row[language]):
            problems.add(f"line {line}", f"language {row[language]!r}: wanted a code such as 'en'")
        found.setdefault(row[language], []).append(pair)
    problems.check()
    return {name: tuple(examples) for name, examples in found.items()}


def _row(system: str, setting: Setting, models: str, corpus: str, languages: int, *scores: float) -> Published:
    return Published(system, setting, dict(zip(LANGUAGES, scores, strict=False)), scores[-1], models, corpus,
                     languages, table="1")  # fmt: skip


def _row5(system: str, setting: Setting, corpus: str, vocabulary: str, *scores: float) -> Published:
    languages = ("en", "fr", "de", "ru", "zh", "sw", "ur")
    return Published(system, setting, dict(zip(languages, scores, strict=False)), scores[-1], vocabulary, corpus,
                     table="5")  # fmt: skip


PUBLISHED = (
    _row("Lample and Conneau (2019), MLM+TLM", "transfer", "N", "Wiki+MT", 15, 85.0, 78.7, 78.9, 77.8, 76.6, 77.4,
         75.3, 72.5, 73.1, 76.1, 73.2, 76.5, 69.6, 68.4, 67.3, 75.1),
    _row("Huang et al. (2019)", "transfer", "N", "Wiki+MT", 15, 85.1, 79.0, 79.4, 77.8, 77.2, 77.2, 76.3, 72.8, 73.5,
         76.4, 73.6, 76.2, 69.4, 69.7, 66.7, 75.4),
    _row("mBERT", "transfer", "N", "Wiki", 102, 82.1, 73.8, 74.3, 71.1, 66.4, 68.9, 69.0, 61.6, 64.9, 69.5, 55.8, 69.3,
         60.0, 50.4, 58.0, 66.3),
    _row("XLM-100", "transfer", "N", "Wiki", 100, 83.7, 76.2, 76.6, 73.7, 72.4, 73.0, 72.1, 68.1, 68.4, 72.0, 68.2,
         71.5, 64.5, 58.0, 62.4, 71.3),
    _row("XLM-100", "transfer", "1", "Wiki", 100, 83.2, 76.7, 77.7, 74.0, 72.7, 74.1, 72.7, 68.7, 68.6, 72.9, 68.9,
         72.5, 65.6, 58.2, 62.4, 70.7),
    _row("XLM-R Base", "transfer", "1", "CC", 100, 85.8, 79.7, 80.7, 78.7, 77.5, 79.6, 78.1, 74.2, 73.8, 76.5, 74.6,
         76.7, 72.4, 66.5, 68.3, 76.2),
    _row("XLM-R", "transfer", "1", "CC", 100, 89.1, 84.1, 85.1, 83.9, 82.9, 84.0, 81.2, 79.6, 79.8, 80.8, 78.1, 80.2,
         76.9, 73.9, 73.8, 80.9),
    _row("BERT-en", "translate-test", "1", "Wiki", 1, 88.8, 81.4, 82.3, 80.1, 80.3, 80.9, 76.2, 76.0, 75.4, 72.0, 71.9,
         75.6, 70.0, 65.8, 65.8, 76.2),
    _row("RoBERTa", "translate-test", "1", "Wiki+CC", 1, 91.3, 82.9, 84.3, 81.2, 81.7, 83.1, 78.3, 76.8, 76.6, 74.2,
         74.1, 77.5, 70.9, 66.7, 66.8, 77.8),
    _row("XLM-100", "translate-train", "N", "Wiki", 100, 82.9, 77.6, 77.9, 77.9, 77.1, 75.7, 75.5, 72.6, 71.2, 75.8,
         73.1, 76.2, 70.4, 66.5, 62.4, 74.2),
    _row("Lample and Conneau (2019), MLM+TLM", "translate-train-all", "1", "Wiki+MT", 15, 85.0, 80.8, 81.3, 80.3, 79.1,
         80.9, 78.3, 75.6, 77.6, 78.5, 76.0, 79.5, 72.9, 72.8, 68.5, 77.8),
    _row("Huang et al. (2019)", "translate-train-all", "1", "Wiki+MT", 15, 85.6, 81.1, 82.3, 80.9, 79.5, 81.4, 79.7,
         76.8, 78.2, 77.9, 77.1, 80.5, 73.4, 73.8, 69.6, 78.5),
    _row("XLM-100", "translate-train-all", "1", "Wiki", 100, 84.5, 80.1, 81.3, 79.3, 78.6, 79.4, 77.5, 75.2, 75.6, 78.3,
         75.7, 78.3, 72.1, 69.2, 67.7, 76.9),
    _row("XLM-R Base", "translate-train-all", "1", "CC", 100, 85.4, 81.4, 82.2, 80.3, 80.4, 81.3, 79.7, 78.6, 77.3,
         79.7, 77.9, 80.2, 76.1, 73.1, 73.0, 79.1),
    _row("XLM-R", "translate-train-all", "1", "CC", 100, 89.1, 85.1, 86.6, 85.7, 85.3, 85.9, 83.5, 83.2, 83.1, 83.7,
         81.5, 83.7, 81.6, 78.0, 78.1, 83.6),
    _row5("BERT", "translate-train", "Wiki", "40k", 84.5, 78.6, 80.0, 75.5, 77.7, 60.1, 57.3, 73.4),
    _row5("BERT", "translate-train", "CC", "40k", 86.7, 81.2, 81.2, 78.2, 79.5, 70.8, 65.1, 77.5),
    _row5("XLM-7", "transfer", "Wiki", "150k", 82.3, 76.8, 74.7, 72.5, 73.1, 60.8, 62.3, 71.8),
    _row5("XLM-7", "transfer", "CC", "150k", 85.7, 78.6, 79.5, 76.4, 74.8, 71.2, 66.9, 76.2),
    _row5("XLM-7", "translate-train-all", "Wiki", "150k", 84.6, 80.1, 80.2, 75.7, 78.0, 68.7, 66.7, 76.3),
    _row5("XLM-7", "translate-train-all", "CC", "150k", 87.2, 82.5, 82.9, 79.7, 80.4, 75.7, 71.5, 80.0),
)  # fmt: skip

# Sizes and digests as the Hugging Face library `datasets` stated them (its dataset_infos.json of xnli).
XNLI_1_0 = PublishedFile(
    "https://dl.fbaipublicfiles.com/XNLI/XNLI-1.0.zip", 17_865_352,
    "4ba1d5e1afdb7161f0f23c66dc787802ccfa8a25a3ddd3b165a35e50df346ab1", "xnli", ("xnli.dev.tsv", "xnli.test.tsv"),
)  # fmt: skip
XNLI_MT_1_0 = PublishedFile(
    "https://dl.fbaipublicfiles.com/XNLI/XNLI-MT-1.0.zip", 466_098_360,
    "f732517ba2fb1d550e9f3c2aabaef6017c91ee2dcec90e878f138764d224db05", "xnli",
    ("multinli.train.*.tsv", "xnli.test.en.tsv"),
)  # fmt: skip

BENCHMARK = Benchmark(
    name="xnli",
    title="XNLI (tables 1 and 5)",
    task="classification",
    folders=("xnli",),
    read=read,
    read_gold=read_gold,
    gold_order=gold_order,
    metrics=(ACCURACY,),
    settings=("transfer", "translate-test", "translate-train", "translate-train-all"),
    licence="CC BY-NC 4.0",
    home="https://github.com/facebookresearch/XNLI",
    labels=LABELS,
    chance=100 / 3,
    sizes={"test": {"": 5010}, "dev": {"": 2490}},
    published=PUBLISHED,
    published_files=PublishedFiles((XNLI_1_0, XNLI_MT_1_0)),
    # An author of XLM-R (fairseq issue 1367): rate 5e-6, batch 128, a check every 5,000 batches, at most 30 of them,
    # end after 5 without a better one.  The paper's XLM-R rows have #M = 1: one model, chosen on the joint dev set.
    finetuning=FinetuneConfig(
        epochs=30, batch=128, learning_rate=5e-6, warmup_fraction=0.0, weight_decay=0.0, selection="joint",
        updates_per_epoch=5000, patience=5,
    ),
)  # fmt: skip
