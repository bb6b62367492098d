"""One score with what it is a score of, and beside it the predictions and what each example contributed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from evaluation.metrics.metric import Numbers
from evaluation.records import DataError

SCORER_VERSION = 2  # grows whenever a metric gives another value for the same predictions
# What rows did not say before scorer version 2, and what was so then.
BEFORE_VERSION_2: Mapping[str, Any] = {
    "benchmark_version": 1, "scorer_version": 1, "setting": "transfer", "selection": "source", "dev": "dev",
    "scored": "test", "train_examples": 0, "epoch": 0, "max_tokens": 0, "baseline": None, "baseline_is": "",
    "data": "", "checkpoint": "", "config": "", "code": "",
}  # fmt: skip
RESULTS, CONTRIBUTIONS, FAILED = "results.json", "contributions.npz", "failed.json"
NEAR_CHANCE, ONE_LABEL = "near chance", "one label for all"
ONE_NUMBER = "one number for all: no correlation, shown as 0"
COLLAPSED = (NEAR_CHANCE, ONE_LABEL, ONE_NUMBER)  # flags of a seed that has learned nothing (XLM issue 199)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`value` in percent over `examples` items, not rounded, as `chance` and `baseline`: tables round what they show.

    `chance` is a random answer's score, `baseline` that of `baseline_is` on the same items, `paper` the paper's XLM-R
    (large) in the same setting; None where there is none.  `selection` chose the epoch by `dev`; `scored` is the
    published part that was scored.  `learning_rate` is the one that was taken (0 without fine-tuning), of
    `learning_rates` where several were tried on the dev sets.  `bootstrap`: the sets were drawn with replacement, by
    the seed.  `data`, `checkpoint`, `config`, `code` are digests.
    `flags` say what a reader must know, such as a class that was never predicted.
    """

    benchmark: str
    benchmark_version: int
    language: str
    metric: str
    value: float
    examples: int
    seed: int
    headline: bool
    setting: str
    selection: str
    dev: str
    scored: str
    trained_on: str
    train_examples: int
    epoch: int
    max_tokens: int
    chance: float | None
    baseline: float | None
    baseline_is: str
    paper: float | None
    data: str
    checkpoint: str
    config: str
    code: str
    scorer_version: int = SCORER_VERSION
    flags: tuple[str, ...] = ()
    learning_rate: float = 0.0
    learning_rates: tuple[float, ...] = ()
    bootstrap: bool = False

    @property
    def place(self) -> tuple[str, str, str, str, str]:
        """What rows must share to be seeds of one number."""
        return self.benchmark, self.setting, self.selection, self.language, self.metric


ROW_FIELDS = tuple(field.name for field in fields(ResultRow))
LISTS = ("flags", "learning_rates")  # fields that are lists in JSON and Parquet


@dataclass(frozen=True, slots=True)
class Scored:
    """A row with what each example contributed to it (see metrics.metric)."""

    row: ResultRow
    contributions: Numbers


@dataclass(frozen=True, slots=True)
class FailedSeed:
    """A fine-tuning that has no score, since its loss or logits were no numbers; fields are named as those of a row.

    `trained_on` names the model that failed where each language has its own, `reason` says in which epoch and why.
    """

    benchmark: str
    benchmark_version: int
    setting: str
    selection: str
    seed: int
    trained_on: str
    max_tokens: int
    data: str
    checkpoint: str
    config: str
    code: str
    reason: str
    scorer_version: int = SCORER_VERSION
    learning_rates: tuple[float, ...] = ()

    @property
    def place(self) -> tuple[str, str, str]:
        """What it has in common with the rows of seeds that did not fail."""
        return self.benchmark, self.setting, self.selection

    def told(self) -> str:
        return f"seed {self.seed}, trained on {self.trained_on}: {self.reason}"


def write_results(scored: Sequence[Scored], predictions: Mapping[str, Sequence[object]], folder: Path) -> None:
    """results.json, contributions.npz, and predictions-LANG.jsonl, a JSON value a line in the examples' order.

    Raises DataError where there is nothing: an empty result is no success.
    """
    if not scored:
        raise DataError("no score: no test set was there")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILED).unlink(missing_ok=True)
    rows = [asdict(each.row) for each in scored]
    (folder / RESULTS).write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    np.savez_compressed(folder / CONTRIBUTIONS, **{_key(each.row): each.contributions for each in scored})  # type: ignore[arg-type]
    for language, found in predictions.items():
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in found)
        (folder / f"predictions-{language}.jsonl").write_text(lines, encoding="utf-8")


def write_failed(failed: FailedSeed, folder: Path) -> None:
    """failed.json, in place of results: the seed is counted wherever scores are shown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILED).write_text(json.dumps(asdict(failed), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_failed_below(folder: Path) -> list[FailedSeed]:
    """Of all evaluations in the folder or below it.  Raises DataError."""
    found = []
    for path in sorted(folder.rglob(FAILED)):
        try:
            found.append(failed_of(json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: {error}: wanted the {FAILED} of one evaluation") from error
    return found


def failed_of(stored: Mapping[str, Any]) -> FailedSeed:
    """From JSON; what it does not know is left out."""
    known = {field.name for field in fields(FailedSeed)}
    values = {name: value for name, value in stored.items() if name in known}
    return FailedSeed(**values | {"learning_rates": tuple(stored.get("learning_rates") or ())})


def read_results(folder: Path) -> list[Scored]:
    """What write_results wrote.  Raises DataError."""
    try:
        rows = [row_of(row) for row in json.loads((folder / RESULTS).read_text(encoding="utf-8"))]
        if not rows:
            raise ValueError(f"{RESULTS} has no row")
        with np.load(folder / CONTRIBUTIONS) as stored:
            return [Scored(row, stored[_key(row)]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise DataError(f"{folder}: {error}: wanted {RESULTS} and {CONTRIBUTIONS} of one evaluation") from error


def read_results_below(folder: Path) -> list[Scored]:
    """Of all evaluations in the folder or below it, such as one a seed.  Raises DataError where there is none."""
    found = [path.parent for path in sorted(folder.rglob(RESULTS))]
    if not found:
        raise DataError(f"{folder}: no {RESULTS} in it or below it: wanted folders that evaluations wrote")
    return [scored for each in found for scored in read_results(each)]


def row_of(stored: Mapping[str, Any]) -> ResultRow:
    """A row from JSON, also one of an older version; what it does not know is left out."""
    values = {name: stored[name] for name in ROW_FIELDS if name in stored}
    lists = {name: tuple(stored.get(name) or ()) for name in LISTS}
    return ResultRow(**{**BEFORE_VERSION_2, **values, **lists})


def _key(row: ResultRow) -> str:
    return f"{row.language}/{row.metric}"


def never_predicted(labels: Sequence[str], predicted: Sequence[object]) -> tuple[str, ...]:
    """Flags of a head that collapsed: labels that it gave to no example."""
    missing = [label for label in labels if not Counter(map(str, predicted))[label]]
    return tuple(f"never predicted: {label}" for label in missing)
