"""Benchmarks whose languages each have a file for training, one that selects, and one that is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evaluation.readers.tables import held_out
from evaluation.records import DataError, Example, Splits

Files = Mapping[str, Path]  # by language


def read_parts(folder: Path, files: Iterable[Files], read_file: Callable[[Path], tuple[Example, ...]]) -> Splits:
    """`files`: of training, dev and test.  Raises DataError for a language that has no test file beside its others:
    its score would be missing."""
    train, dev, test = files
    need_tests(folder, (*train, *dev), test)
    return read_files(train, dev, test, read_file)


def read_files(train: Files, dev: Files, test: Files, read_file: Callable[[Path], tuple[Example, ...]]) -> Splits:
    parts = ({language: read_file(path) for language, path in found.items()} for found in (train, dev, test))
    return Splits(next(parts), next(parts), next(parts), files=(*train.values(), *dev.values(), *test.values()))


def need_tests(folder: Path, languages: Iterable[str], tested: Iterable[str]) -> None:
    """Raises DataError where one of these languages is not among those with a test file."""
    lacking = sorted(set(languages) - set(tested))
    if lacking:
        raise DataError(f"{folder}: no test file of {', '.join(lacking)}, of which other files are there: put the "
                        "published file there too, or take the others away")  # fmt: skip


def dev_as_test(splits: Splits) -> Splits:
    """Where the published dev sets are what is scored, part of each training set selects the epoch."""
    parts = {name: held_out(examples) for name, examples in splits.train.items()}
    train, dev = ({name: halves[which] for name, halves in parts.items()} for which in (0, 1))
    return replace(splits, train=train, dev=dev, scored="dev", dev_is="held out from train")
