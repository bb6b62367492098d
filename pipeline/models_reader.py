"""Checkpoints, their training and their scores, read from a store: what the Models page shows.

What was read is kept in memory: manifests, artifacts and rows of scores never change.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

from pipeline.checkpoint_source import UNITS
from pipeline.current import current_or_none, names
from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.known_manifests import LIST_AGAIN_S, READERS, KnownManifests
from pipeline.manifest import Manifest, manifest_key, parse_key
from pipeline.result_store import FOLDER as RESULTS
from pipeline.result_store import KnownResults, StoredFailure, read_failures
from pipeline.score_rows import StoredResult
from pipeline.store import ArtifactStore
from pipeline.verdicts import Verdict, judged, read_verdict

log = logging.getLogger(__name__)

KEPT_CURVES = 32  # a hundred languages at a thousand updates are about 3 MB
MADE_OF = (
    "pretrain",
    "export",
    "train_vocabulary",
    "publish",
    "summarize",
)  # of what a checkpoint is made, the nearest first


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An exported model as its manifest tells it; `current`: the one that its name stands for now."""

    name: str
    version: str
    key: str
    finished_at: str
    manifest: Manifest = field(hash=False, compare=False)
    current: bool

    @property
    def outside(self) -> bool:
        """A model that was not trained here."""
        return self.manifest.stage == "ingest"

    @property
    def update(self) -> int | None:
        """Of a milestone (pipeline/milestones.py); None of the end of a training."""
        found = self.manifest.config.get("update")
        return int(found) if found and "pretraining" in self.manifest.config else None


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean loss in nats at each written update: of all languages, of each, and on held-out text."""

    steps: tuple[int, ...]
    loss_nats: tuple[float | None, ...]
    by_language: dict[str, tuple[float | None, ...]]
    validation: tuple[tuple[int, float], ...]
    uniform_nats: float | None
    tokens: dict[str, int]

    def until(self, update: int) -> Curve:
        length = sum(step <= update for step in self.steps)
        return replace(
            self,
            steps=self.steps[:length],
            loss_nats=self.loss_nats[:length],
            by_language={code: losses[:length] for code, losses in self.by_language.items()},
            validation=tuple(row for row in self.validation if row[0] <= update),
            tokens={},  # those of the whole training
        )


class ModelsReader:
    """Threads may share one."""

    def __init__(self, store: ArtifactStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._manifests: KnownManifests[Manifest] = KnownManifests(store, lambda manifest: manifest, clock)
        self._listed_at = self._looked_at = float("-inf")
        self._checkpoints: list[Checkpoint] = []
        self._verdicts: dict[str, Verdict | None] = {}
        self._parts: tuple[str, ...] = ()
        self._known_results = KnownResults(store)
        self._results: tuple[StoredResult, ...] = ()
        self._of_checkpoint: dict[str, list[StoredResult]] = {}
        self._lineage: dict[str, frozenset[str]] = {}
        self._failures: list[StoredFailure] = []
        self._lock = Lock()
        self._curve = lru_cache(KEPT_CURVES)(self._load_curve)
        self._summary = lru_cache(None)(self._load_summary)

    def checkpoints(self) -> list[Checkpoint]:
        """All versions of all names, the newest first."""
        results = self.results()
        with self._lock:
            if self._clock() - self._looked_at >= LIST_AGAIN_S:
                self._checkpoints = self._find_checkpoints(results)
                self._verdicts = _many(self._read_verdict, judged(self.store))
                self._looked_at = self._clock()
            return self._checkpoints

    def _find_checkpoints(self, results: Iterable[StoredResult]) -> list[Checkpoint]:
        now = _many(lambda name: current_or_none(self.store, "checkpoint", name), names(self.store, "checkpoint"))
        found = {manifest.key: manifest for manifest in self._manifests.of("export")}
        keys = {*filter(None, now.values()), *(each.origin.checkpoint_key for each in results)} - set(found)
        found |= self._manifests.named_all(keys)
        self._read_ancestors(found.values())
        made = [
            Checkpoint(_name(manifest), manifest.fingerprint, key, manifest.written_at, manifest, key in now.values())
            for key, manifest in found.items()
        ]
        _many(self._summary, {pretrain.key for each in made if (pretrain := self.pretraining(each))})
        return sorted(made, key=lambda each: (each.finished_at, each.key), reverse=True)

    def _read_ancestors(self, manifests: Iterable[Manifest]) -> None:
        """All of a level together, before they are asked for one by one."""
        level = list(manifests)
        while level:
            keys = {key for manifest in level for key in manifest.inputs if parse_key(key)[0] in MADE_OF}
            level = [each for each in self._manifests.named_all(keys).values() if each.stage != "export"]

    def newest(self) -> list[Checkpoint]:
        """One of each name: the current one, else the last one made."""
        found: dict[str, Checkpoint] = {}
        for each in self.checkpoints():
            if each.name not in found or (each.current and not found[each.name].current):
                found[each.name] = each
        return list(found.values())

    def versions(self, name: str) -> list[Checkpoint]:
        """All of one name, the newest first.  Raises MissingArtifact."""
        found = [each for each in self.checkpoints() if each.name == name]
        if not found:
            raise MissingArtifact(f"{name}: no checkpoint of that name in {self.store.root}")
        return found

    def checkpoint(self, name: str, version: str = "") -> Checkpoint:
        """The current one of that name, else its newest, or the version asked for.  Raises MissingArtifact."""
        versions = self.versions(name)
        for each in versions:
            if each.version == version or (not version and each.current):
                return each
        if not version:
            return versions[0]
        there = ", ".join(each.version for each in versions)
        raise MissingArtifact(f"{name}: no version {version} of this checkpoint: wanted one of {there}")

    def results(self) -> tuple[StoredResult, ...]:
        """All scores, the oldest first."""
        with self._lock:
            if self._clock() - self._listed_at >= LIST_AGAIN_S:
                parts = tuple(self.store.list(f"{RESULTS}/"))
                if parts != self._parts:
                    self._parts, self._results, self._of_checkpoint = parts, tuple(self._known_results.read(parts)), {}
                    self._failures = read_failures(self.store)
                    for each in self._results:
                        self._of_checkpoint.setdefault(each.origin.checkpoint_key, []).append(each)
                    made: dict[str, set[str]] = {}
                    recorded: list[StoredResult | StoredFailure] = [*self._results, *self._failures]
                    for scored in recorded:
                        made.setdefault(scored.origin.checkpoint_key, set()).add(scored.origin.lineage)
                    self._lineage = {key: frozenset(lineage) for key, lineage in made.items()}
                self._listed_at = self._clock()
            return self._results

    def results_of(self, key: str) -> list[StoredResult]:
        """The scores of one version of a checkpoint, the oldest first."""
        self.results()
        return self._of_checkpoint.get(key, [])

    def lineage_of(self, key: str) -> frozenset[str]:
        """The manifests that its scores and failed seeds come from: they tell whether there are new ones."""
        self.results()
        return self._lineage.get(key, frozenset())

    def failures_of(self, key: str) -> list[StoredFailure]:
        """The seeds that failed to train on one version of a checkpoint, the oldest first."""
        self.results()
        return [each for each in self._failures if each.origin.checkpoint_key == key]

    def ancestors(self, checkpoint: Checkpoint) -> dict[str, list[Manifest]]:
        """What a checkpoint is made of: stage of MADE_OF -> manifests; those of a checkpoint that it went on from are
        left to that one."""
        found: dict[str, list[Manifest]] = {}
        level = list(filter(None, (checkpoint.manifest, self.pretraining(checkpoint))))
        while level:
            keys = {key for manifest in level for key in manifest.inputs if parse_key(key)[0] in MADE_OF}
            made = [manifest for key in sorted(keys) if (manifest := self._manifests.named(key))]
            for manifest in made:
                if manifest not in found.setdefault(manifest.stage, []):
                    found[manifest.stage].append(manifest)
            level = [manifest for manifest in made if manifest.stage != "export"]
        return {stage: found[stage] for stage in MADE_OF if stage in found}

    def pretraining(self, checkpoint: Checkpoint) -> Manifest | None:
        """The finished training of a checkpoint; None of a model from outside, or of a milestone while it goes on."""
        keys = [key for key in checkpoint.manifest.inputs if parse_key(key)[0] == "pretrain"]
        if checkpoint.update is not None:
            mark = str(checkpoint.manifest.config["pretraining"])
            keys = [manifest_key("pretrain", checkpoint.name.rpartition("@")[0], mark)]
        return self._manifests.named(keys[0]) if keys else None

    def curve(self, checkpoint: Checkpoint) -> Curve | None:
        """Of a milestone, as far as it.  None of a model that was not trained here, or whose training goes on."""
        pretrain = self.pretraining(checkpoint)
        found = self._curve(pretrain.key) if pretrain else None
        return found.until(checkpoint.update) if found and checkpoint.update is not None else found

    def last_loss(self, checkpoint: Checkpoint) -> float | None:
        """Nats; of the end of a training without reading its curve."""
        pretrain = self.pretraining(checkpoint)
        if pretrain and checkpoint.update is None:
            found: float | None = self._summary(pretrain.key).get("last_loss_nats")
            return found
        curve = self.curve(checkpoint)
        losses = [loss for loss in curve.loss_nats if loss is not None] if curve else []
        return losses[-1] if losses else None

    def verdict(self, name: str) -> Verdict | None:
        self.checkpoints()
        return self._verdicts.get(name)

    def _read_verdict(self, name: str) -> Verdict | None:
        try:
            return read_verdict(self.store, name)
        except CorruptArtifact as error:  # one does not hide the others
            log.warning("%s", error)
            return None

    def _load_curve(self, key: str) -> Curve:
        manifest = self._manifests.named(key) or self.store.manifest(key)
        rows = self._lines(manifest, "metrics.jsonl")
        languages = sorted({code for row in rows for code in row.get("loss_nats_by_language", {})})
        summary = self._summary(key)
        return Curve(
            tuple(row["step"] for row in rows),
            tuple(row["loss_nats"] for row in rows),
            {code: tuple(row["loss_nats_by_language"].get(code) for row in rows) for code in languages},
            tuple((row["step"], row["loss_nats"]) for row in self._lines(manifest, "validation.jsonl")),
            summary.get("uniform_loss_nats"),
            summary.get("tokens_by_language", {}),
        )

    def _load_summary(self, key: str) -> dict[str, Any]:
        manifest = self._manifests.named(key) or self.store.manifest(key)
        keys = [artifact.key for artifact in manifest.artifacts if artifact.name == "summary.json"]
        found: dict[str, Any] = json.loads(self.store.get(keys[0])) if keys else {}
        return found

    def _lines(self, manifest: Manifest, name: str) -> list[dict[str, Any]]:
        keys = [artifact.key for artifact in manifest.artifacts if artifact.name == name]
        return [json.loads(line) for key in keys for line in self.store.get(key).splitlines()]


def _many(read: Callable[[str], Found], names_or_keys: Iterable[str]) -> dict[str, Found]:
    """Read together what takes tens of milliseconds each from S3."""
    asked = list(names_or_keys)
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(asked, pool.map(read, asked), strict=True))


def _name(manifest: Manifest) -> str:
    return manifest.unit.removeprefix(UNITS)
