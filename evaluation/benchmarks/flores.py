"""FLORES-200 as retrieval: find the English translation of a sentence (NLLB team 2022).  No fine-tuning, as Tatoeba.

Files: devtest/LANG_Script.devtest, line by line translations, eng_Latn.devtest among them; or FLORES+'s
devtest/devtest.LANG_Script.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import tatoeba
from evaluation.metrics.metric import RETRIEVAL_ACCURACY
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import by_language, matching
from evaluation.records import DataError, Parts, Splits

ENGLISH = "eng_Latn"


def read(folder: Path, data: Path) -> Splits:
    paths = [path for pattern in ("*_*.devtest", "devtest.*_*") for path in matching(folder, pattern)]
    files = by_language((_language(path), path) for path in paths)
    english = files.pop(ENGLISH, None)
    if not english:
        raise DataError(f"{folder / ENGLISH}.devtest: no such file: put the benchmark's published file there")
    if not files:
        raise DataError(f"{folder}: no such file: wanted swh_Latn.devtest and its like beside {english.name}")
    test = {language: tatoeba.read_lines(path, english) for language, path in files.items()}
    return Splits({}, {}, test, files=(english, *files.values()))


def read_gold(path: Path) -> Parts:
    language = _language(path)
    return {language: tatoeba.read_lines(path, path.with_name(path.name.replace(language, ENGLISH)))}


def _language(path: Path) -> str:
    """`swh_Latn.devtest`, or `devtest.swh_Latn` (FLORES+)."""
    return path.suffix.removeprefix(".") if path.stem in ("dev", "devtest") else path.stem


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
    sizes={"test": {"": 1012}},
    source=ENGLISH,
    published_files=PUBLISHED_FILES,
    finetuning=tatoeba.BENCHMARK.finetuning,
)
