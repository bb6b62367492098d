"""PAN-X (WikiANN, Pan et al. 2017, Rahimi et al. 2019): persons, places and organisations, 40 languages in XTREME.

Files: LANG/train, LANG/dev, LANG/test with `LANG:word` and tag, or XTREME's train-LANG.tsv, dev-LANG.tsv and
test-LANG.tsv with tags.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics.metric import ENTITY_F1
from evaluation.published_files import PublishedFiles
from evaluation.readers.conll import read_conll, tags_of, without_wikiann_prefix
from evaluation.readers.folders import by_language, matching
from evaluation.readers.parts import dev_as_test, read_files, read_parts
from evaluation.records import DataError, Parts, Splits, Tagged
from evaluation.settings import FinetuneConfig

TYPES = ("PER", "LOC", "ORG")


def read(folder: Path, data: Path) -> Splits:
    found = {part: _files(folder, part) for part in ("train", "dev", "test")}
    if not found["dev"] and not found["test"]:
        raise DataError(f"{folder}: no file: wanted LANG/test, or test-LANG.tsv with tags")
    if found["test"]:
        return read_parts(folder, found.values(), read_file)
    return dev_as_test(read_files(found["train"], {}, found["dev"], read_file))


def _files(folder: Path, part: str) -> dict[str, Path]:
    """XTREME's names, Rahimi's LANG/part, or LANG-part."""
    return by_language([
        *((path.stem.split("-", 1)[1], path) for path in matching(folder, f"{part}-*.tsv")),
        *((path.name.rsplit("-", 1)[0], path) for path in matching(folder, f"*-{part}")),
        *((path.parent.name, path) for path in matching(folder, part)),
    ])  # fmt: skip


def read_file(path: Path) -> tuple[Tagged, ...]:
    return without_wikiann_prefix(read_conll(path, TYPES))


def read_gold(path: Path) -> Parts:
    language = path.stem.split("-", 1)[1] if path.suffix == ".tsv" and "-" in path.stem else path.parent.name
    return {language: read_file(path)}


BENCHMARK = Benchmark(
    name="panx",
    title="PAN-X (WikiANN)",
    task="tagging",
    folders=("panx", "wikiann"),
    read=read,
    read_gold=read_gold,
    metrics=(ENTITY_F1,),
    settings=("transfer", "each", "all"),
    licence="made from Wikipedia; ODC-BY as published by its authors",
    home="https://github.com/afshinrahimi/mmner",
    labels=tags_of(TYPES),
    chance=0.0,
    published_files=PublishedFiles(
        by_hand="its authors publish it in a cloud drive: get the archives of the languages from the home page, unpack "
        "each as LANG/train, LANG/dev, LANG/test in the folder panx of a data folder, and give that with --data"
    ),
    finetuning=FinetuneConfig(epochs=10, batch=32, learning_rate=2e-5, max_tokens=128),  # XTREME
)
