"""Tatoeba: find the English translation of a sentence among all of the set, 112 languages (Artetxe and Schwenk 2019).

Files: tatoeba.LNG-eng.LNG and tatoeba.LNG-eng.eng, line by line translations.  No fine-tuning: a sentence is the mean
of a hidden layer over its tokens, its translation the English sentence with the highest cosine.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import RETRIEVAL_ACCURACY
from evaluation.published_files import PublishedFiles, in_repository, read_rows
from evaluation.readers.folders import Problems, lines_of, matching, merged
from evaluation.records import DataError, Parts, Splits, Translated
from evaluation.settings import FinetuneConfig


def read(folder: Path, data: Path) -> Splits:
    sources = [path for path in matching(folder, "tatoeba.*-eng.*") if path.suffix != ".eng"]
    if not sources and matching(folder, "*-en.en"):
        raise DataError(f"{folder}: XTREME's copies: their English lines are sorted, so that no line says whose "
                        "translation it is: wanted the published tatoeba.deu-eng.deu and its like")  # fmt: skip
    if not sources:
        raise DataError(f"{folder}: no such file: wanted tatoeba.deu-eng.deu and its like")
    test = merged(sources, read_gold)
    return Splits({}, {}, test, files=tuple(p for path in sources for p in (path, path.with_suffix(".eng"))))


def read_gold(path: Path) -> Parts:
    """The file of the other language; its English file lies beside it."""
    return {path.suffix.removeprefix("."): read_lines(path, path.with_suffix(".eng"))}


def read_lines(path: Path, english: Path) -> tuple[Translated, ...]:
    """Pairs of lines.  Raises DataError where the files differ in length or a line is empty."""
    if path == english:
        raise DataError(f"{path}: the English side: wanted the file of the other language")
    if not english.is_file():
        raise DataError(f"{english}: no such file: wanted the translations of {path.name}")
    texts, translations = _lines(path), _lines(english)
    if len(texts) != len(translations):
        raise DataError(f"{path}: {len(texts)} lines, {english.name} has {len(translations)}")
    if not texts:
        raise DataError(f"{path}: no line")
    return tuple(Translated(text, other) for text, other in zip(texts, translations, strict=True))


def _lines(path: Path) -> list[str]:
    lines = [line for _, line in lines_of(path)]
    if lines and not lines[-1]:
        lines.pop()
    problems = Problems(path)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            problems.add(f"line {number}", "an empty line: wanted a sentence")
    problems.check()
    return lines


# Digests: the repository's files at that commit.
PUBLISHED_FILES = PublishedFiles(
    in_repository("facebookresearch/LASER", "74bc6ae7ffb7cba670fe0f428d0ede9f666fb821",
                  read_rows(Path(__file__).with_suffix(".tsv")), "tatoeba")
)  # fmt: skip

BENCHMARK = Benchmark(
    name="tatoeba",
    title="Tatoeba retrieval, towards English",
    task="retrieval",
    folders=("tatoeba",),
    read=read,
    read_gold=read_gold,
    metrics=(RETRIEVAL_ACCURACY,),
    settings=("frozen",),
    licence="CC BY 2.0 FR",
    home="https://github.com/facebookresearch/LASER",
    source="eng",
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(batch=64, max_tokens=512, setting="frozen"),
)
