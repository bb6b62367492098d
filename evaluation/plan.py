"""What a setting means for a benchmark's data: which models are trained on what, and what each is scored on."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.benchmark import Benchmark
from evaluation.records import DataError, Example, Parts, Splits
from evaluation.settings import FinetuneConfig


@dataclass(frozen=True, slots=True)
class Training:
    """One model: its training set (`name` says in which language, or "all"), dev sets that select, test sets.

    `untrained`: test sets whose language has no training set, where the setting wants one of each.
    """

    name: str
    train: tuple[Example, ...]
    dev: Parts
    test: Parts
    untrained: tuple[str, ...] = ()


def plan(benchmark: Benchmark, splits: Splits, config: FinetuneConfig) -> list[Training]:
    """The models of a setting.  Raises DataError for data that the setting wants and that are not there."""
    if config.setting not in benchmark.settings:
        raise DataError(f"{benchmark.name} has no setting {config.setting!r}: wanted {', '.join(benchmark.settings)}")
    if config.setting in ("each", "translate-train"):
        return _each(benchmark, splits)
    if config.setting in ("all", "translate-train-all"):
        train = tuple(example for _, examples in sorted(splits.train.items()) for example in examples)
        if not train:
            raise DataError(f"{benchmark.name}: no training set in any language")
        dev = _selecting(benchmark, splits, config, splits.test)
        return [Training("all", train, dev, splits.test, _untrained(splits))]
    test = splits.translated_test if config.setting == "translate-test" else splits.test
    if not test:
        raise DataError(f"{benchmark.name}: no test set for the setting {config.setting}")
    train = _part(benchmark, splits.train, benchmark.source, "training")
    return [Training(benchmark.source, train, _selecting(benchmark, splits, config, test), test)]


def _each(benchmark: Benchmark, splits: Splits) -> list[Training]:
    """A model for each language that has both a training and a test set, chosen by its own dev set."""
    languages = [name for name in sorted(splits.test) if splits.train.get(name)]
    if not languages:
        raise DataError(f"{benchmark.name}: no language has a training set and a test set: there is nothing to score")
    return [
        Training(
            name,
            tuple(splits.train[name]),
            {name: _part(benchmark, splits.dev, name, "dev")},
            {name: splits.test[name]},
            _untrained(splits),
        )
        for name in languages
    ]


def _untrained(splits: Splits) -> tuple[str, ...]:
    return tuple(name for name in sorted(splits.test) if not splits.train.get(name))


def _selecting(benchmark: Benchmark, splits: Splits, config: FinetuneConfig, test: Parts) -> Parts:
    """Dev sets by the name of what they select for: the source language, or each test set."""
    if config.selection == "source" or config.setting == "translate-test":
        return {benchmark.source: _part(benchmark, splits.dev, benchmark.source, "dev")}
    found = {name: splits.dev.get(name) or splits.dev.get(name.split("-")[0]) or () for name in test}
    missing = [name for name, examples in found.items() if not examples]
    if missing:
        raise DataError(f"{benchmark.name}: no dev set in {', '.join(missing)}: the selection {config.selection!r} "
                        "wants one for each test set; `source` wants only one")  # fmt: skip
    return found


def _part(benchmark: Benchmark, parts: Parts, name: str, kind: str) -> tuple[Example, ...]:
    if not parts.get(name):
        there = ", ".join(sorted(parts)) or "none"
        other = (
            ", or choose the setting `each`" if parts and kind == "training" and "each" in benchmark.settings else ""
        )
        raise DataError(
            f"{benchmark.name}: no {kind} set in {name} (there: {there}): put its published file there{other}"
        )
    return tuple(parts[name])
