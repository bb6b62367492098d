"""`xlmr stats`: the release's statistics as JSON, CSV or a table, beside the paper's Table 6."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from ccnet.languages import LANGUAGES
from pipeline.errors import BadConfig, MissingArtifact
from pipeline.flow import plan
from pipeline.lineage import trace
from pipeline.manifest import MANIFEST_NAME, Manifest
from pipeline.release import STATISTICS
from pipeline.settings import RunSettings
from pipeline.store import ArtifactStore

COLUMNS = ("documents", "paragraphs", "characters", "bytes")


def corpus_statistics_of(store: ArtifactStore, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of a release, with what each stage dropped on its way.

    It is the release of the settings where that stands, else the newest of the store.  Raises MissingArtifact.
    """
    publish = _release_key(store, settings)
    manifest = store.manifest(publish)
    statistics: dict[str, Any] = json.loads(store.open(manifest.artifact(STATISTICS)).read_text(encoding="utf-8"))
    statistics["release"] = store.uri(publish)
    statistics["dropped"] = _dropped(a.manifest for a in trace(store, publish) if not a.seen)
    encoded = (m for m in _manifests(store, "encode") if publish in m.inputs)
    tokens = {m.unit: m.counts["tokens"] for m in encoded}
    for language, row in statistics["languages"].items():
        known = LANGUAGES[language]
        row |= {"name": known.name, "tokens": tokens.get(language)}
        row |= {"paper_gib": known.paper_gib, "paper_tokens_m": known.paper_tokens_m}
    return statistics


def _release_key(store: ArtifactStore, settings: Mapping[str, Any]) -> str:
    try:
        wanted = next(work.key for work in plan(RunSettings.parse(settings)) if work.stage == "publish")
    except BadConfig:  # a store alone was named
        wanted = ""
    if wanted and store.exists(wanted):
        return wanted
    standing = sorted(_manifests(store, "publish"), key=lambda manifest: manifest.written_at)
    if not standing:
        raise MissingArtifact(f"{store.uri('publish')}: no release there: run `xlmr corpus`, or name another --store")
    return standing[-1].key


def _manifests(store: ArtifactStore, stage: str) -> list[Manifest]:
    return [store.manifest(key) for key in store.list(f"{stage}/") if key.endswith(f"/{MANIFEST_NAME}")]


def _dropped(manifests: Iterable[Manifest]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for manifest in manifests:
        for name, n in manifest.counts.items():
            if name.startswith("dropped_") and n:
                row = sums.setdefault(manifest.stage, {})
                row[name.removeprefix("dropped_")] = row.get(name.removeprefix("dropped_"), 0) + n
    return sums


def corpus_table(statistics: Mapping[str, Any]) -> Table:
    table = Table(title="Corpus by language", caption=str(statistics["release"]))
    for name in (
        "code",
        "language",
        "documents",
        "paragraphs",
        "MiB",
        "tokens",
        "head / middle / tail / all",
        "paper GiB",
    ):
        table.add_column(name, justify="left" if name in ("code", "language") else "right")
    for language, row in statistics["languages"].items():
        total = {column: sum(bucket[column] for bucket in row["buckets"].values()) for column in COLUMNS}
        parts = " / ".join(
            str(row["buckets"].get(b, {}).get("documents", 0)) for b in ("head", "middle", "tail", "all")
        )
        tokens = "" if row["tokens"] is None else f"{row['tokens']:,}"
        paper = "" if row["paper_gib"] is None else f"{row['paper_gib']:g}"
        table.add_row(language, row["name"], f"{total['documents']:,}", f"{total['paragraphs']:,}",
                      f"{total['bytes'] / 2**20:.2f}", tokens, parts, paper)  # fmt: skip
    for stage, reasons in statistics["dropped"].items():
        table.caption = f"{table.caption}\n{stage} dropped: " + ", ".join(f"{r} {n:,}" for r, n in reasons.items())
    return table


def corpus_csv(statistics: Mapping[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("language", "bucket", *COLUMNS))
    for language, row in statistics["languages"].items():
        for bucket, counts in sorted(row["buckets"].items()):
            writer.writerow((language, bucket, *(counts[column] for column in COLUMNS)))
    return out.getvalue()
