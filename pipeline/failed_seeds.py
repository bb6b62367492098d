"""What a run says of seeds that failed to train: each is told, and a benchmark without any score is an error."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import EmptyOutput
from pipeline.manifest import parse_key
from pipeline.needs import first_part
from pipeline.result_store import FOLDER, StoredFailure, failure_place, read_failures
from pipeline.store import ArtifactStore

log = logging.getLogger(__name__)


def check_scored(store: ArtifactStore, keys: Iterable[str]) -> None:
    """Log the seeds that failed among these units of `evaluate`.

    Raises EmptyOutput for benchmarks of which no seed has a score.
    """
    by_benchmark: dict[str, list[str]] = {}
    for key in keys:
        by_benchmark.setdefault(first_part(parse_key(key)[1]), []).append(key)
    failed = {name: _failed(store, name, units) for name, units in by_benchmark.items()}
    for name, failures in failed.items():
        if 0 < len(failures) < len(by_benchmark[name]):
            log.warning("%s", told_failed(failures, len(by_benchmark[name]) - len(failures)))
    without = [
        told_failed(found, 0) for name, found in failed.items() if found and len(found) == len(by_benchmark[name])
    ]
    if without:
        raise EmptyOutput(f"no score: {'; '.join(without)}")


def told_failed(failures: Sequence[StoredFailure], scored: int) -> str:
    """One line on the failed seeds of one checkpoint on one benchmark."""
    from evaluation.summaries import told_seeds

    row = failures[0].row
    reasons = "; ".join(each.row.told() for each in failures)
    return f"{row.benchmark} {row.setting}: {told_seeds(scored, len(failures))} ({reasons})"


def failed_by_place(failures: Iterable[StoredFailure]) -> Mapping[tuple[str, ...], list[StoredFailure]]:
    """By checkpoint, benchmark, setting and selection."""
    found: dict[tuple[str, ...], list[StoredFailure]] = {}
    for each in failures:
        found.setdefault((each.origin.checkpoint_name, *each.row.place), []).append(each)
    return found


def _failed(store: ArtifactStore, benchmark: str, keys: Sequence[str]) -> list[StoredFailure]:
    there = set(store.list(f"{FOLDER}/{benchmark}/"))
    failed = {key for key in keys if failure_place(key) in there}
    return read_failures(store, benchmark=benchmark, lineage=failed) if failed else []
