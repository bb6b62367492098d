"""Universal NER v1 (Mayhew et al. 2024): persons, places and organisations on Universal Dependencies' texts.

Files: TREEBANK-ud-train.iob2, -dev.iob2, -test.iob2 (number, word, tag).  Trained on English EWT; a test set is named
after its language and treebank, as `en-ewt`.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ENTITY_F1
from evaluation.published_files import PublishedFile, PublishedFiles, read_rows
from evaluation.readers.conll import read_conll, tags_of
from evaluation.readers.folders import by_language, matching
from evaluation.readers.parts import read_parts
from evaluation.records import DataError, Parts, Splits, Tagged
from evaluation.settings import FinetuneConfig

TYPES = ("PER", "LOC", "ORG")
SOURCE = "en-ewt"
WORD, TAG = 1, 2  # columns; the number of the word comes first


def read(folder: Path, data: Path) -> Splits:
    found = {part: by_language((_name(path), path) for path in matching(folder, f"*-ud-{part}.iob2")) for part in
             ("train", "dev", "test")}  # fmt: skip
    if not found["test"]:
        raise DataError(f"{folder}: no such file: wanted files named as en_ewt-ud-test.iob2")
    return read_parts(folder, found.values(), read_file)


def _name(path: Path) -> str:
    return path.name.split("-ud-")[0].replace("_", "-")


def read_file(path: Path) -> tuple[Tagged, ...]:
    return read_conll(path, TYPES, word=WORD, tag=TAG)


def read_gold(path: Path) -> Parts:
    return {_name(path): read_file(path)}


REPOSITORIES = "https://raw.githubusercontent.com/UniversalNER/UNER_"
# The table's paths begin with the treebank and the commit of its repository; digests: the files at these commits.
PUBLISHED_FILES = PublishedFiles((
    *(PublishedFile(f"{REPOSITORIES}{path}", size, sha256, f"universal_ner/{path.rpartition('/')[2]}")
      for path, size, sha256 in read_rows(Path(__file__).with_suffix(".tsv"))),
    PublishedFile(f"{REPOSITORIES}English-EWT/8ed072de2fd24022cc62458997fe96a8fe191ea4/en_ewt-ud-train.iob2", 0, "",
                  "universal_ner/en_ewt-ud-train.iob2", git_blob="b2423d72f37f2226e56cbe750da76f820e6c36a9"),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="universal_ner",
    title="Universal NER",
    task="tagging",
    folders=("universal_ner", "uner"),
    read=read,
    read_gold=read_gold,
    metrics=(ENTITY_F1,),
    settings=("transfer", "each", "all"),
    licence="CC BY-SA 4.0",
    home="https://www.universalner.org",
    labels=tags_of(TYPES),
    source=SOURCE,
    tag_column=TAG,
    published_files=PUBLISHED_FILES,
    chance=0.0,
    finetuning=FinetuneConfig(epochs=10, batch=32, learning_rate=2e-5),
)
