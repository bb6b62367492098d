"""MasakhaNER 1.0 and 2.0 (Adelani et al. 2021, 2022): entities and dates in African languages.

Files: LANG/train.txt, LANG/dev.txt, LANG/test.txt, a word and its tag a line.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ENTITY_F1
from evaluation.published_files import PublishedFiles, in_repository, read_rows
from evaluation.readers.conll import read_conll, tags_of
from evaluation.readers.folders import by_language, matching
from evaluation.readers.parts import read_parts
from evaluation.records import DataError, Parts, Splits
from evaluation.settings import FinetuneConfig

TYPES = ("PER", "ORG", "LOC", "DATE")


def read(folder: Path, data: Path) -> Splits:
    found = {part: by_language((path.parent.name, path) for path in matching(folder, f"{part}.txt")) for part in
             ("train", "dev", "test")}  # fmt: skip
    if not found["test"]:
        raise DataError(f"{folder}: no such file: wanted LANG/test.txt with train.txt and dev.txt beside it")
    return read_parts(folder, found.values(), lambda path: read_conll(path, TYPES))


def read_gold(path: Path) -> Parts:
    return {path.parent.name: read_conll(path, TYPES)}


# MasakhaNER 2.0; digests: the repository's files at that commit.
PUBLISHED_FILES = PublishedFiles(
    in_repository("masakhane-io/masakhane-ner", "ba5843cd08aa491d5f96a5e809e71eb9ec461391",
                  read_rows(Path(__file__).with_suffix(".tsv")), "masakhaner", keep=2),
)  # fmt: skip

BENCHMARK = Benchmark(
    name="masakhaner",
    title="MasakhaNER",
    task="tagging",
    folders=("masakhaner", "masakhane-ner"),
    read=read,
    read_gold=read_gold,
    metrics=(ENTITY_F1,),
    settings=("each", "all"),
    licence="CC BY-NC 4.0",
    home="https://github.com/masakhane-io/masakhane-ner",
    labels=tags_of(TYPES),
    chance=0.0,
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=50, batch=32, learning_rate=5e-5, max_tokens=164, setting="each"),  # its authors
)
