"""Is a checkpoint worse than the last results of its name: the verdict, and where it stands in the store.

verdicts/NAME.json holds the last one.  Results that were made alike (same weights, data, scorer and code) belong
together; the present ones are compared with the last ones that were made otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.failed_seeds import failed_by_place, told_failed
from pipeline.result_store import (
    StoredFailure,
    newest,
    read_failures,
    read_results,
    with_contributions,
)
from pipeline.score_rows import StoredResult
from pipeline.store import ArtifactStore

if TYPE_CHECKING:
    from evaluation.compare import Comparison

FOLDER = "verdicts"
Status = Literal["first results", "not comparable", "worse", "not worse"]
Made = tuple[str, str, str, int, int]
SHOWN = 12  # regressions that a message names


class Change(BaseModel):
    """A difference beyond noise; `difference` is new minus old in points, `language` a test set or `mean`."""

    model_config = ConfigDict(frozen=True)

    benchmark: str
    setting: str
    metric: str
    language: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    corrected_p: float
    verdict: Literal["better", "worse", "within noise"]
    examples: int
    seeds_a: int
    seeds_b: int
    failed_a: int = 0
    failed_b: int = 0
    selection: str = Field(default="", description="by what b's epoch was chosen; empty: not known")


class Verdict(BaseModel):
    """What a comparison with the last results said.  `present` and `last` are the keys of the manifests compared."""

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    manifest: str
    judged_at: str = Field(description="ISO 8601, UTC")
    status: Status
    accepted: bool = False
    significance: float
    margin: float
    differences: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.differences if change.verdict == "worse"]

    @property
    def fails(self) -> bool:
        return self.status == "worse" and not self.accepted

    def told(self) -> str:
        """One line."""
        if self.status != "worse":
            return f"{self.checkpoint}: {self.status}{'' if self.status != 'not worse' else ' than its last results'}"
        named = [
            f"{each.benchmark} {each.language} {each.difference:+.1f} ({each.low:+.1f} to {each.high:+.1f})"
            for each in self.regressions
        ]
        rest = len(named) - SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        return f"{self.checkpoint} is worse than its last results: {', '.join(named[:SHOWN])}{more}"


def judge(
    store: ArtifactStore,
    checkpoint: str,
    manifest: str,
    present: Iterable[str],
    *,
    significance: float,
    margin: float,
    accept: bool = False,
) -> Verdict:
    """Compare the results at the keys `present` with the last ones of this checkpoint's name, and keep the verdict."""
    keys = frozenset(present)
    known = read_results(store, checkpoint_name=checkpoint)
    ours = [each for each in known if each.origin.lineage in keys]
    theirs = _last_before(ours, known)
    standing = read_verdict(store, checkpoint)
    accepted = accept or bool(standing and standing.accepted and frozenset(standing.present) == keys)
    common: dict[str, Any] = {
        "checkpoint": checkpoint, "manifest": manifest, "significance": significance, "margin": margin,
        "judged_at": datetime.now(UTC).isoformat(timespec="seconds"), "present": tuple(sorted(keys)),
        "last": tuple(sorted({each.origin.lineage for each in theirs})), "accepted": accepted,
    }  # fmt: skip
    failures = read_failures(store, checkpoint_name=checkpoint)
    failed = [each for each in failures if each.origin.lineage in keys]
    alike = {(_settings(each), _made(each)) for each in theirs}
    before = [each for each in failures if (_settings(each), _made(each)) in alike]
    if theirs:
        found, notes = compared(store, theirs, ours, significance, margin, (before, failed))
        verdict = Verdict(**common, **_compared(found, notes))
    else:
        status: Status = "first results" if ours else "not comparable"
        verdict = Verdict(status=status, notes=tuple(_told(failed, ours)), **common)
    store.put(_place(checkpoint), (verdict.model_dump_json(indent=1) + "\n").encode())
    return verdict


def read_verdict(store: ArtifactStore, checkpoint: str) -> Verdict | None:
    """The last one, None where there is none.  Raises CorruptArtifact."""
    try:
        return Verdict.model_validate_json(store.get(_place(checkpoint)))
    except MissingArtifact:
        return None
    except (ValidationError, ValueError) as error:
        place = store.uri(_place(checkpoint))
        raise CorruptArtifact(f"{place}: no readable verdict: delete it and run xlmr reevaluate again") from error


def judged(store: ArtifactStore) -> list[str]:
    """The names of the checkpoints that there is a verdict on."""
    return [key.removeprefix(f"{FOLDER}/").removesuffix(".json") for key in store.list(f"{FOLDER}/")]


def regressions_since(store: ArtifactStore, moment: datetime) -> list[str]:
    """A line for each checkpoint whose last verdict is a regression and not older than this moment."""
    found = []
    for name in judged(store):
        verdict = read_verdict(store, name)
        if verdict and verdict.fails and datetime.fromisoformat(verdict.judged_at) >= moment.replace(microsecond=0):
            found.append(verdict.told())
    return found


def compared(
    store: ArtifactStore,
    a: Sequence[StoredResult],
    b: Sequence[StoredResult],
    significance: float = 0.05,
    margin: float = 0.0,
    failed: tuple[Sequence[StoredFailure], Sequence[StoredFailure]] = ((), ()),
) -> tuple[Comparison | None, list[str]]:
    """b against a in all benchmarks that can be compared; and why others cannot.  `failed`: seeds without a score."""
    from evaluation.compare import compare_each
    from evaluation.records import DataError

    ours, theirs = (with_contributions(store, newest(side)) for side in (a, b))
    lost = tuple([each.row for each in side] for side in failed)
    try:
        found = compare_each(ours, theirs, alpha=significance, margin=margin, failed=(lost[0], lost[1]))
    except DataError as error:
        return None, [str(error)]
    return found, list(found.notes)


def _told(failed: Sequence[StoredFailure], scored: Sequence[StoredResult]) -> list[str]:
    """A line on each benchmark of which a seed failed."""
    seeds = {(each.origin.checkpoint_name, *each.row.place[:3], each.row.seed) for each in scored}
    return [told_failed(some, sum(each[:-1] == place for each in seeds))
            for place, some in failed_by_place(failed).items()]  # fmt: skip


def _compared(found: Comparison | None, notes: Sequence[str]) -> dict[str, Any]:
    if found is None:
        return {"status": "not comparable", "notes": tuple(notes)}
    told = json.loads(json.dumps(found.to_json()))
    status: Status = "worse" if found.regression else "not worse"
    return {"status": status, "differences": told["differences"], "notes": tuple(notes)}


def _last_before(ours: Sequence[StoredResult], known: Sequence[StoredResult]) -> list[StoredResult]:
    """Of each benchmark that is scored now, with the same settings, the last results that were made otherwise."""
    now = {_settings(each): _made(each) for each in ours}
    last: dict[tuple[str, ...], list[StoredResult]] = {}
    for each in known:  # the oldest first
        if now.get(_settings(each), _made(each)) == _made(each):
            continue
        found = last.setdefault(_settings(each), [])
        if found and _made(found[0]) != _made(each):
            found.clear()
        found.append(each)
    return [each for found in last.values() for each in found]


def _settings(each: StoredResult | StoredFailure) -> tuple[str, ...]:
    return each.row.benchmark, each.row.setting, each.row.selection, each.row.config


def _made(each: StoredResult | StoredFailure) -> Made:
    row = each.row
    return each.origin.checkpoint_key, row.data, row.code, row.benchmark_version, row.scorer_version


def _place(checkpoint: str) -> str:
    return f"{FOLDER}/{checkpoint}.json"
