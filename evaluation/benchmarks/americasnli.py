"""AmericasNLI: XNLI in ten languages of the Americas (Ebrahimi et al. 2022), trained on XNLI's English.

Files: test.tsv and dev.tsv (language, premise, hypothesis, label); XNLI's training and dev files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import xnli
from evaluation.metrics.metric import ACCURACY
from evaluation.published_files import PublishedFiles, in_repository
from evaluation.readers.folders import benchmark_folder, find, need
from evaluation.readers.tables import read_table
from evaluation.records import DataError, Example, Parts, Splits


def read(folder: Path, data: Path) -> Splits:
    english = benchmark_folder(data, ("xnli",))
    train, dev = need(english, "multinli.train.en.tsv", "train-en.tsv"), need(english, "dev-en.tsv", "xnli.dev.tsv")
    test, own_dev = find(folder, "test.tsv"), need(folder, "dev.tsv")
    parts = read_gold(own_dev)
    return Splits(
        train={"en": xnli.read_train(train)},
        dev={"en": _english_of(dev), **(parts if test else {})},
        test=read_gold(test) if test else parts,
        scored="test" if test else "dev",
        files=(train, dev, own_dev, *([test] if test else ())),
    )


def read_gold(path: Path) -> Parts:
    columns = ("language", "label", "premise", "hypothesis")
    return xnli.pairs_by_language(path, read_table(path, columns), columns)


def _english_of(path: Path) -> tuple[Example, ...]:
    parts = xnli.read_gold(path)
    if "en" not in parts:
        raise DataError(f"{path}: no English row (there: {', '.join(parts)}): wanted XNLI's dev set with English")
    return parts["en"]


# Digests: the repository's files at that commit.
PUBLISHED_FILES = PublishedFiles((
    *in_repository("nala-cub/AmericasNLI", "be3c351b7e1ae69936c61bfde3e24f30757db9ac", (
        ("dev.tsv", 1_090_405, "a2678f2820a2008547c5d993118979cc82a25d51a73570571566a1b74d8e8530"),
        ("test.tsv", 1_165_688, "1e16c058de33ddaab4a037b1078a31ecab08afddfdc840140593b6da1439bcf8"),
    ), "americasnli"),
    replace(xnli.XNLI_1_0, members=("xnli.dev.tsv",)),
    replace(xnli.XNLI_MT_1_0, members=("multinli.train.en.tsv",)),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="americasnli",
    title="AmericasNLI",
    task="classification",
    folders=("americasnli",),
    read=read,
    read_gold=read_gold,
    gold_order=xnli.gold_order,
    metrics=(ACCURACY,),
    settings=("transfer",),
    licence="none stated by its authors",
    home="https://github.com/nala-cub/AmericasNLI",
    labels=xnli.LABELS,
    chance=100 / 3,
    published_files=PUBLISHED_FILES,
    finetuning=xnli.BENCHMARK.finetuning,
)
