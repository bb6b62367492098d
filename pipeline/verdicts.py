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
from pipeline.result_store import StoredResult, newest, read_results, with_contributions
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
    if not theirs:
        verdict = Verdict(status="first results", **common)
    else:
        verdict = Verdict(**common, **_compared(store, ours, theirs, significance, margin))
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


def regressions_since(store: ArtifactStore, moment: datetime) -> list[str]:
    """A line for each checkpoint whose last verdict is a regression and not older than this moment."""
    found = []
    for key in store.list(f"{FOLDER}/"):
        verdict = read_verdict(store, key.removeprefix(f"{FOLDER}/").removesuffix(".json"))
        if verdict and verdict.fails and datetime.fromisoformat(verdict.judged_at) >= moment.replace(microsecond=0):
            found.append(verdict.told())
    return found


def compared(
    store: ArtifactStore,
    a: Sequence[StoredResult],
    b: Sequence[StoredResult],
    significance: float = 0.05,
    margin: float = 0.0,
) -> tuple[Comparison | None, list[str]]:
    """b against a in all benchmarks that can be compared; and why others cannot."""
    from evaluation.compare import compare
    from evaluation.records import DataError

    sides = [with_contributions(store, newest(side)) for side in (a, b)]
    notes, usable = [], []
    for benchmark in dict.fromkeys(each.row.benchmark for each in sides[1]):
        ours, theirs = ([each for each in side if each.row.benchmark == benchmark] for side in sides)
        try:
            compare(ours, theirs, replicates=2)
            usable.append(benchmark)
        except DataError as error:
            notes.append(f"{benchmark}: {str(error).removeprefix(f'{benchmark}: ')}")
    if not usable:
        return None, notes
    ours, theirs = ([each for each in side if each.row.benchmark in usable] for side in sides)
    found = compare(ours, theirs, alpha=significance, margin=margin)
    return found, [*notes, *found.notes]


def _compared(
    store: ArtifactStore,
    ours: Sequence[StoredResult],
    theirs: Sequence[StoredResult],
    significance: float,
    margin: float,
) -> dict[str, Any]:
    found, notes = compared(store, theirs, ours, significance, margin)
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


def _settings(each: StoredResult) -> tuple[str, ...]:
    return each.row.benchmark, each.row.setting, each.row.selection, each.row.config


def _made(each: StoredResult) -> Made:
    row = each.row
    return each.origin.checkpoint_key, row.data, row.code, row.benchmark_version, row.scorer_version


def _place(checkpoint: str) -> str:
    return f"{FOLDER}/{checkpoint}.json"
