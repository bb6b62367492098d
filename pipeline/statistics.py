"""The statistics of finished dumps and releases, read from a store: what the Corpus page and `xlmr stats` show.

`summarize` leaves one manifest for each finished corpus run of a dump, `publish` one for each release; both list
`statistics.json` and carry the counts of `overview_counts`, so that a list of dumps reads manifests alone.  What was
read is kept in memory: neither manifests nor artifacts ever change.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any

from ccnet.document import AMOUNTS
from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.known_manifests import KnownManifests
from pipeline.manifest import Artifact, Manifest
from pipeline.store import ArtifactStore

STATISTICS = "statistics.json"
STEPS = ("fetch", "extract", "deduplicate", "identify", "filter_perplexity", "filter_documents", "regroup")
PRECISION = "identification_precision"  # of a language's row: measured on held-out reference text
IDENTIFIED = ("kept", "agreed", "unsure")  # what `identify` counts by language
KEPT_STATISTICS = 12  # dumps and releases in memory; 100 languages with samples are about 10 MB


class Kind(StrEnum):
    """What a corpus is, and the stage whose manifest says so."""

    DUMP = "dump"
    RELEASE = "release"

    @property
    def stage(self) -> str:
        return "summarize" if self is Kind.DUMP else "publish"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A finished dump or release as its manifest tells it; `counts` are those of `overview_counts`."""

    kind: Kind
    name: str
    fingerprint: str
    written_at: str
    uri: str
    counts: Mapping[str, int] = field(hash=False)
    artifact: Artifact

    @classmethod
    def of(cls, kind: Kind, manifest: Manifest, uri: str) -> Corpus:
        return cls(
            kind, manifest.unit, manifest.fingerprint, manifest.written_at, uri, manifest.counts,
            manifest.artifact(STATISTICS),
        )  # fmt: skip


class StatisticsReader:
    """Dumps and releases of a store.  Threads may share one."""

    def __init__(self, store: ArtifactStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._known = {kind: KnownManifests(store, partial(_corpus_of, kind, store), clock) for kind in Kind}
        self._read = lru_cache(KEPT_STATISTICS)(self._load)

    def corpora(self, kind: Kind) -> tuple[Corpus, ...]:
        """All of them, the last name first, and of one name the newest first."""
        return tuple(sorted(self._known[kind].of(kind.stage), key=lambda corpus: corpus.name, reverse=True))

    def newest(self, kind: Kind) -> list[Corpus]:
        """The newest of each name."""
        by_name: dict[str, Corpus] = {}
        for corpus in self.corpora(kind):
            by_name.setdefault(corpus.name, corpus)
        return list(by_name.values())

    def versions(self, kind: Kind, name: str) -> list[Corpus]:
        """All of one name, the newest first.  Raises MissingArtifact."""
        found = [corpus for corpus in self.corpora(kind) if corpus.name == name]
        if not found:
            raise MissingArtifact(f"{name}: no finished {kind} of that name in {self._store.root}")
        return found

    def corpus(self, kind: Kind, name: str, fingerprint: str = "") -> Corpus:
        """The newest of that name, or the one of that fingerprint.  Raises MissingArtifact."""
        versions = self.versions(kind, name)
        for corpus in versions:
            if corpus.fingerprint == (fingerprint or versions[0].fingerprint):
                return corpus
        there = ", ".join(corpus.fingerprint for corpus in versions)
        raise MissingArtifact(f"{name}: no version {fingerprint} of this {kind}: wanted one of {there}")

    def previous(self, corpus: Corpus) -> Corpus | None:
        """Of a dump: the newest of the dump before, in the order of their ids; of a release: its version before."""
        if corpus.kind is Kind.RELEASE:
            older = [other for other in self.versions(corpus.kind, corpus.name) if other.written_at < corpus.written_at]
        else:
            older = [other for other in self.newest(corpus.kind) if other.name < corpus.name]
        return older[0] if older else None

    def statistics(self, corpus: Corpus) -> dict[str, Any]:
        """The artifact: `languages` and, of a dump `steps`, of a release `dumps`.  Raises CorruptArtifact."""
        return self._read(corpus)

    def _load(self, corpus: Corpus) -> dict[str, Any]:
        data = self._store.get(corpus.artifact.key)
        digest = hashlib.sha256(data).hexdigest()
        if digest != corpus.artifact.sha256:
            raise CorruptArtifact(
                f"{self._store.uri(corpus.artifact.key)}: SHA-256 {digest[:12]}…, its manifest says "
                f"{corpus.artifact.sha256[:12]}…. Delete {corpus.uri} and run {corpus.kind.stage} again."
            )
        found: dict[str, Any] = json.loads(data)
        return found


def _corpus_of(kind: Kind, store: ArtifactStore, manifest: Manifest) -> Corpus:
    return Corpus.of(kind, manifest, store.uri(manifest.key))


def overview_counts(languages: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """What a list of dumps or releases shows of one; `summarize` and `publish` add it to their manifest's counts."""
    amounts: Counter[str] = Counter(dict.fromkeys(AMOUNTS, 0))
    for row in languages.values():
        amounts.update(totals(row))
    return {"languages": len(languages), **amounts}


def totals(statistics: Mapping[str, Any]) -> dict[str, int]:
    """AMOUNTS of a language, all buckets together."""
    return {name: sum(bucket[name] for bucket in statistics["buckets"].values()) for name in AMOUNTS}


def steps_of(manifests: Iterable[Manifest]) -> dict[str, dict[str, Any]]:
    """stage -> documents_in, documents_kept, dropped, of the stages that documents pass, in their order."""
    sums: dict[str, Counter[str]] = {}
    for manifest in manifests:
        if "documents_in" in manifest.counts and manifest.stage in STEPS:
            sums.setdefault(manifest.stage, Counter()).update(manifest.counts)
    return ordered_steps(
        {
            stage: {"documents_in": c["documents_in"], "documents_kept": c["documents_kept"], "dropped": reasons_of(c)}
            for stage, c in sums.items()
        }
    )


def ordered_steps(steps: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of the pipeline (JSON with sorted keys loses it)."""
    return {stage: steps[stage] for stage in STEPS if stage in steps}


def reasons_of(counts: Mapping[str, int]) -> dict[str, int]:
    """reason -> documents, of counts named dropped_REASON."""
    named = sorted(counts.items())
    return {name.removeprefix("dropped_"): n for name, n in named if name.startswith("dropped_") and n}


def language_steps(
    language: str, manifests: Sequence[Manifest], filtered: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """What `identify` kept of the language, and what the stages after it dropped by reason.

    Where several identifiers were asked: on how many of the kept they agreed, and how many documents that the first
    took for the language are of unsure language.
    `filtered`: language -> reason -> documents, the sum of the reasons.json that `filter_documents` leaves.
    """
    identified: Counter[str] = Counter()
    for manifest in manifests:
        if manifest.stage == "identify":
            identified.update({name: manifest.counts.get(f"{name}_{language}", 0) for name in IDENTIFIED})
    regrouped = [m for m in manifests if m.stage == "regroup" and m.unit.split("/")[0] == language]
    dropped = {stage: row["dropped"] for stage, row in steps_of(regrouped).items()}
    named = {name: n for name, n in identified.items() if n or name == "kept"}
    return {"identify": {"kept": 0, **named}, "filter_documents": dict(filtered.get(language, {})), **dropped}
