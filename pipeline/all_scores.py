"""A report on all scores of a store, or on some of its checkpoints: the paper's tables with a row for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import MissingArtifact
from pipeline.result_store import (
    StoredFailure,
    left_out,
    newest,
    read_failures,
    read_results,
    standing_failures,
)
from pipeline.score_rows import StoredResult
from pipeline.stages.report import scores_alone
from pipeline.store import ArtifactStore

SHOWN = 5


def scores_report(
    store: ArtifactStore, checkpoints: Sequence[str] = (), benchmarks: Sequence[str] = ()
) -> dict[str, Any]:
    """In the shape of evaluation.report.  Raises MissingArtifact where the store has no such score."""
    every, failures = _every(store, checkpoints, benchmarks)
    rows = [_row(each, store) for each in newest(every)]
    return scores_alone(rows, [_failure(each, store) for each in failures], left_out(every))


def standing_results(
    store: ArtifactStore, checkpoints: Sequence[str] = (), benchmarks: Sequence[str] = ()
) -> tuple[list[StoredResult], list[StoredFailure]]:
    """The newest rows of these, or of all, and the seeds that failed.  Raises MissingArtifact where there is no row."""
    every, failures = _every(store, checkpoints, benchmarks)
    return newest(every), failures


def _every(
    store: ArtifactStore, checkpoints: Sequence[str], benchmarks: Sequence[str]
) -> tuple[list[StoredResult], list[StoredFailure]]:
    given = {"checkpoint_name": checkpoints, "benchmark": benchmarks}
    wanted = {name: values for name, values in given.items() if values}
    every = read_results(store, **wanted)
    failures = standing_failures(read_failures(store, **wanted), every)
    if not every:
        known = read_results(store)
        there = ({each.origin.checkpoint_name for each in known}, {each.row.benchmark for each in known})
        named = " on ".join(", ".join(sorted(names)[:SHOWN]) + " …" * (len(names) > SHOWN) for names in there)
        said = f"scored are {named}" if known else "nothing is scored yet"
        lost = f"; failed are {', '.join(sorted({_named(each) for each in failures}))}" if failures else ""
        raise MissingArtifact(f"{store.root}: no such score ({said}{lost}): run `xlmr evaluate` first")
    return every, failures


def _named(failure: StoredFailure) -> str:
    row = failure.row
    return f"{failure.origin.checkpoint_name} {row.benchmark} {row.setting} seed {row.seed}"


def _failure(each: StoredFailure, store: ArtifactStore) -> dict[str, Any]:
    return asdict(each.row) | asdict(each.origin) | {"lineage": store.uri(each.origin.lineage)}


def _row(each: StoredResult, store: ArtifactStore) -> dict[str, Any]:
    stated = asdict(each.row) | {"flags": list(each.row.flags)}
    return stated | asdict(each.origin) | {"lineage": store.uri(each.origin.lineage)}
