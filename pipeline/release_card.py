"""What a release's card says, gathered from manifests and statistics: nothing is read of the text itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ccnet.document import AMOUNTS
from pipeline.corpus_table import corpus_statistics_of, folder_statistics
from pipeline.deployment import COMMON_CRAWL
from pipeline.errors import BadInput, MissingArtifact
from pipeline.manifest import MANIFEST_NAME, Artifact, Manifest, parse_key
from pipeline.statistics import STATISTICS, Kind, StatisticsReader, totals
from pipeline.store import ArtifactStore, open_store, sha256_of

READERS = 16  # manifests read at a time: of S3 each takes tens of milliseconds
TOP_DOMAINS = 20
# Stages of a dump whose settings decide what is in a release, in the order of the text.
SETTINGS_OF = ("extract", "deduplicate", "identify", "filter_perplexity", "filter_documents", "regroup")
LEFT_OUT = frozenset({"languages", "release", "removed", "max_file_mib", "keep_excluded"})  # told elsewhere, or no text
COUNTED = frozenset({"extract", "filter_documents", "summarize"})  # stages of which every manifest is read, not one
PLACE = f"corpus/{Kind.RELEASE}="


@dataclass(frozen=True, slots=True)
class Source:
    """A dump of a release; files and bytes are those that were fetched.  `base`: "" where the crawl lay on a disk."""

    crawl: str
    base: str
    kind: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """A release.  `files`: names below its folder; `languages` as `xlmr stats --json` has them; `settings`: stage ->
    setting -> its values (several where dumps differ); `sources` is None where no manifest tells them."""

    name: str
    version: str
    published: str
    files: tuple[Artifact, ...]
    hive: bool
    languages: Mapping[str, Any]
    crawls: Mapping[str, Any]
    dropped: Mapping[str, Mapping[str, int]]
    masked: Mapping[str, int]
    settings: Mapping[str, Mapping[str, Sequence[Any]]]
    sources: tuple[Source, ...] | None
    identifier: Artifact | None
    has_signals: bool  # columns that filters add

    @property
    def totals(self) -> dict[str, int]:
        sums: Counter[str] = Counter(dict.fromkeys(AMOUNTS, 0))
        for row in self.languages.values():
            sums.update(totals(row))
        return dict(sums)

    @property
    def domains(self) -> list[tuple[str, int]]:
        """The most frequent of all languages; each count is a lower bound."""
        sums: Counter[str] = Counter()
        for row in self.languages.values():
            sums.update(row["domains"])
        return sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:TOP_DOMAINS]

    @property
    def is_common_crawl(self) -> bool:
        return bool(self.sources) and all(source.base == COMMON_CRAWL for source in self.sources or ())

    @property
    def is_masked(self) -> bool:
        return any(self.settings.get("filter_documents", {}).get("mask_contacts", ()))

    @property
    def is_marked(self) -> bool:
        """Whether a column names the benchmarks whose text a document holds."""
        return self.settings.get("regroup", {}).get("decontaminate") == ["mark"]


def card_of_store(store: ArtifactStore, name: str = "", fingerprint: str = "") -> Card:
    """The card of a release in the store; without a name, of the newest.  Raises MissingArtifact."""
    reader = StatisticsReader(store)
    if not name:
        newest = max(reader.corpora(Kind.RELEASE), key=lambda corpus: corpus.written_at, default=None)
        if newest is None:
            raise MissingArtifact(f"{store.root}: holds no release: make one with `xlmr release`")
        name, fingerprint = newest.name, newest.fingerprint
    corpus = reader.corpus(Kind.RELEASE, name, fingerprint)
    statistics = corpus_statistics_of(store, name=name, fingerprint=corpus.fingerprint)
    manifest = store.manifest(corpus.uri)
    inputs = _by_stage(store, manifest.inputs)
    dumps = {dump.unit: _by_stage(store, dump.inputs) for dump in inputs["summarize"]}
    stages = [inputs, *dumps.values()]
    placed = manifest.artifact(STATISTICS).key.rpartition("/")[0]
    return Card(
        name=name,
        version=placed.removeprefix(f"{PLACE}{name}-"),
        published=manifest.written_at[:10],
        files=tuple(
            artifact.model_copy(update={"name": artifact.key.removeprefix(f"{placed}/")})
            for artifact in manifest.artifacts
            if artifact.name.endswith(".parquet")
        ),
        hive=True,
        languages=statistics["languages"],
        crawls=statistics["crawls"],
        dropped=statistics["dropped"],
        masked=_masked(m for found in stages for m in found.get("filter_documents", ())),
        settings=_settings(m for found in stages for row in found.values() for m in row),
        sources=tuple(_source(store, crawl, dumps[crawl]["extract"]) for crawl in sorted(dumps)),
        identifier=_identifier(store, dumps.values()),
        has_signals=any(_adds_signals(m) for found in dumps.values() for m in found["filter_documents"]),
    )


def card_of_folder(folder: Path) -> Card:
    """The card of a release in a folder: of a store, from its manifests; else from what the folder itself tells.
    Raises BadInput."""
    if folder.name.startswith("release=") and folder.parent.name == "corpus":
        store = open_store(str(folder.parent.parent))
        for corpus in StatisticsReader(store).corpora(Kind.RELEASE):
            if corpus.artifact.key.rpartition("/")[0] == f"corpus/{folder.name}":
                return card_of_store(store, corpus.name, corpus.fingerprint)
    from ccnet.release import release_parts

    statistics = folder_statistics(folder)
    named = [(part.relative_to(folder).as_posix(), part) for part in release_parts(folder)]
    return Card(
        name=folder.resolve().name,
        version="",
        published="",
        files=tuple(
            Artifact(name=name, key=name, size_bytes=part.stat().st_size, sha256=sha256_of(part))
            for name, part in named
        ),
        hive=any("/bucket=" in name for name, _ in named),
        languages=statistics["languages"],
        crawls=statistics["crawls"],
        dropped=statistics["dropped"],
        masked={},
        settings={},
        sources=None,
        identifier=None,
        has_signals=False,
    )


def find_card(store: ArtifactStore, release: str) -> Card:
    """`release`: the URI or key of its manifest, the URI of its folder, or its name.  Raises FactoryError."""
    key = store.key(release) if "://" in release or release.endswith(f"/{MANIFEST_NAME}") else release
    if key.endswith(f"/{MANIFEST_NAME}"):
        stage, unit, fingerprint = parse_key(key)
        if stage != Kind.RELEASE.stage:
            raise BadInput(f"{release}: a manifest of {stage}: wanted one of {Kind.RELEASE.stage}")
        return card_of_store(store, unit, fingerprint)
    if key.startswith(PLACE):
        for corpus in StatisticsReader(store).corpora(Kind.RELEASE):
            if corpus.artifact.key.rpartition("/")[0] == key.rstrip("/"):
                return card_of_store(store, corpus.name, corpus.fingerprint)
        raise MissingArtifact(f"{release}: no finished release lies there")
    return card_of_store(store, key)


def _by_stage(store: ArtifactStore, keys: Sequence[str]) -> dict[str, list[Manifest]]:
    """The manifests at these keys, by stage; one of each stage that is asked for its settings alone."""
    wanted: dict[str, list[str]] = {}
    for key in keys:
        stage = parse_key(key)[0]
        if stage in COUNTED or stage not in wanted:
            wanted.setdefault(stage, []).append(key)
    with ThreadPoolExecutor(READERS) as pool:
        return {stage: list(pool.map(store.manifest, found)) for stage, found in wanted.items()}


def _source(store: ArtifactStore, crawl: str, extracted: Sequence[Manifest]) -> Source:
    keys = sorted({key for manifest in extracted for key in manifest.inputs if parse_key(key)[0] == "fetch"})
    with ThreadPoolExecutor(READERS) as pool:
        fetched = list(pool.map(store.manifest, keys))
    base = str(fetched[0].config["source"]) if fetched else ""
    return Source(
        crawl,
        base if urlsplit(base).scheme in ("http", "https") else "",
        str(fetched[0].config["kind"]) if fetched else "",
        sum(manifest.counts.get("files", 0) for manifest in fetched),
        sum(manifest.counts.get("bytes", 0) for manifest in fetched),
    )


def _identifier(store: ArtifactStore, dumps: Iterable[Mapping[str, Sequence[Manifest]]]) -> Artifact | None:
    """The file that named the languages."""
    keys = sorted({key for found in dumps for manifest in found.get("identify", ())[:1] for key in manifest.inputs})
    for key in keys:
        if parse_key(key)[:2] == ("ingest", "language-identifier"):
            return store.manifest(key).artifacts[0]
    return None


def _adds_signals(filtered: Manifest) -> bool:
    given = any(parse_key(key)[0] == "ingest" for key in filtered.inputs)
    return given or bool(filtered.config.get("mask_contacts") or filtered.config.get("robots_agents"))


def _masked(filtered: Iterable[Manifest]) -> dict[str, int]:
    """What was masked -> how often."""
    sums: Counter[str] = Counter()
    for manifest in filtered:
        sums.update({n.removeprefix("masked_"): c for n, c in manifest.counts.items() if n.startswith("masked_") and c})
    return dict(sorted(sums.items()))


def _settings(manifests: Iterable[Manifest]) -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for manifest in manifests:
        if manifest.stage in SETTINGS_OF:
            for name, value in manifest.config.items():
                if name not in LEFT_OUT:
                    known = found.setdefault(manifest.stage, {}).setdefault(name, {})
                    known.setdefault(json.dumps(value, sort_keys=True), value)
    return {
        stage: {name: list(values.values()) for name, values in sorted(found[stage].items())}
        for stage in SETTINGS_OF
        if stage in found
    }
