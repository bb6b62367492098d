"""SIB-200: the topic of a sentence, 7 topics, 205 languages and scripts (Adelani et al. 2024).

Files: LANG_Script/train.tsv, dev.tsv, test.tsv (index_id, category, text).
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ACCURACY
from evaluation.published_files import PublishedFiles, in_repository, read_rows
from evaluation.readers.folders import by_language, matching
from evaluation.readers.parts import read_parts
from evaluation.readers.tables import read_classified
from evaluation.records import Classified, DataError, Parts, Splits
from evaluation.settings import FinetuneConfig

TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")


def read(folder: Path, data: Path) -> Splits:
    found = {part: by_language((path.parent.name, path) for path in matching(folder, f"{part}.tsv")) for part in
             ("train", "dev", "test")}  # fmt: skip
    if not found["test"]:
        raise DataError(f"{folder}: no such file: wanted eng_Latn/test.tsv and its like")
    return read_parts(folder, found.values(), read_file)


def read_file(path: Path) -> tuple[Classified, ...]:
    return read_classified(path, ("text", None, "category"), {topic: topic for topic in TOPICS}, quoting="csv")


def read_gold(path: Path) -> Parts:
    return {path.parent.name: read_file(path)}


# Digests: the repository's files at that commit.
PUBLISHED_FILES = PublishedFiles(
    in_repository("dadelani/sib-200", "593cea88519930f776c1a4a1980b6a35b39dca57",
                  read_rows(Path(__file__).with_suffix(".tsv")), "sib200", keep=2)
)  # fmt: skip

BENCHMARK = Benchmark(
    name="sib200",
    title="SIB-200",
    task="classification",
    folders=("sib200", "sib-200"),
    read=read,
    read_gold=read_gold,
    metrics=(ACCURACY,),
    settings=("transfer", "each", "all"),
    licence="CC BY-SA 4.0",
    home="https://github.com/dadelani/sib-200",
    labels=TOPICS,
    source="eng_Latn",
    chance=100 / 7,
    sizes={"test": {"": 204}},
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=20, batch=16, learning_rate=1e-5, max_tokens=164),  # its authors
)
