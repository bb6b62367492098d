"""FLORES-200 as retrieval: find the English translation of a sentence (NLLB team 2022).  No fine-tuning, as Tatoeba.

Files: devtest/LANG_Script.devtest, line by line translations; eng_Latn.devtest among them.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import tatoeba
from evaluation.metrics.metric import RETRIEVAL_ACCURACY
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import matching, need
from evaluation.records import DataError, Parts, Splits

ENGLISH = "eng_Latn"


def read(folder: Path, data: Path) -> Splits:
    english = need(folder, f"{ENGLISH}.devtest")
    others = [path for path in matching(folder, "*_*.devtest") if path.stem != ENGLISH]
    if not others:
        raise DataError(f"{folder}: no such file: wanted swh_Latn.devtest and its like beside {english.name}")
    test = {path.stem: tatoeba.read_lines(path, english) for path in others}
    return Splits({}, {}, test, files=(english, *others))


def read_gold(path: Path) -> Parts:
    return {path.stem: tatoeba.read_lines(path, path.with_name(f"{ENGLISH}{path.suffix}"))}


# Its authors state neither size nor digest; two users of the archive state the same digest, independently.
PUBLISHED_FILES = PublishedFiles((
    PublishedFile("https://dl.fbaipublicfiles.com/nllb/flores200_dataset.tar.gz", 0,
                  "b8b0b76783024b85797e5cc75064eb83fc5288b41e9654dabc7be6ae944011f6", "flores", ("*.devtest",)),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="flores",
    title="FLORES-200 retrieval, towards English",
    task="retrieval",
    folders=("flores", "flores200", "flores200_dataset"),
    read=read,
    read_gold=read_gold,
    metrics=(RETRIEVAL_ACCURACY,),
    settings=("frozen",),
    licence="CC BY-SA 4.0",
    home="https://github.com/facebookresearch/flores",
    source=ENGLISH,
    published_files=PUBLISHED_FILES,
    finetuning=tatoeba.BENCHMARK.finetuning,
)
