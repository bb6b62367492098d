"""A report on all scores of a store, or on some of its checkpoints: the paper's tables with a row for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import MissingArtifact
from pipeline.result_store import StoredResult, newest, read_results
from pipeline.stages.report import scores_alone
from pipeline.store import ArtifactStore

SHOWN = 5


def scores_report(
    store: ArtifactStore, checkpoints: Sequence[str] = (), benchmarks: Sequence[str] = ()
) -> dict[str, Any]:
    """In the shape of evaluation.report.  Raises MissingArtifact where the store has no such score."""
    return scores_alone([_row(each, store) for each in standing_results(store, checkpoints, benchmarks)])


def standing_results(
    store: ArtifactStore, checkpoints: Sequence[str] = (), benchmarks: Sequence[str] = ()
) -> list[StoredResult]:
    """The newest rows of these, or of all.  Raises MissingArtifact where the store has none."""
    wanted = {"checkpoint_name": checkpoints, "benchmark": benchmarks}
    results = newest(read_results(store, **{name: values for name, values in wanted.items() if values}))
    if not results:
        there = sorted({each.origin.checkpoint_name for each in read_results(store)})
        named = ", ".join(there[:SHOWN]) + (" …" if len(there) > SHOWN else "")
        said = f"scored are {named}" if there else "nothing is scored yet"
        raise MissingArtifact(f"{store.root}: no such score ({said}): run `xlmr evaluate` first")
    return results


def _row(each: StoredResult, store: ArtifactStore) -> dict[str, Any]:
    stated = asdict(each.row) | {"flags": list(each.row.flags)}
    return stated | asdict(each.origin) | {"lineage": store.uri(each.origin.lineage)}
