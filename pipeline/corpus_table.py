"""`xlmr stats`: the release's statistics as JSON, CSV or a table, beside the paper's Table 6."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ccnet.document import AMOUNTS, Bucket
from ccnet.languages import LANGUAGES
from pipeline import stages
from pipeline.errors import BadConfig, BadInput, MissingArtifact
from pipeline.flow import plan
from pipeline.lineage import trace
from pipeline.manifest import MANIFEST_NAME, Manifest
from pipeline.release import STATISTICS
from pipeline.settings import RunSettings
from pipeline.stages.filter_documents import REASONS
from pipeline.store import ArtifactStore


def corpus_statistics_of(store: ArtifactStore, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of a release, with what each stage dropped on its way.

    It is the release of the settings where that stands, else the newest of the store.  Raises MissingArtifact.
    `dropped`: stage -> reason -> documents; `crawls`: dump -> stage -> documents_in, documents_kept, dropped; each
    language has what `ccnet.stats` says, its tokens, its bytes of reference text, its own `steps`, and Table 6's row.
    """
    publish = _release_key(store, settings)
    statistics: dict[str, Any] = json.loads(
        store.open(store.manifest(publish).artifact(STATISTICS)).read_text(encoding="utf-8")
    )
    made_from = [ancestor.manifest for ancestor in trace(store, publish) if not ancestor.seen]
    encoded = (manifest for manifest in _manifests(store, "encode") if publish in manifest.inputs)
    tokens = {manifest.unit: manifest.counts["tokens"] for manifest in encoded}
    reference = {m.unit: m.counts.get("reference_bytes") for m in made_from if m.stage == "train_lm"}
    filtered = _filtered(store, made_from)
    for language, row in statistics["languages"].items():
        row |= _known(language) | {"tokens": tokens.get(language), "reference_bytes": reference.get(language)}
        row["steps"] = _steps_of_language(language, made_from, filtered)
    return {
        "release": store.uri(publish),
        "dropped": {stage: row["dropped"] for stage, row in _steps(made_from).items() if row["dropped"]},
        "crawls": _by_crawl(made_from),
        **statistics,
    }


def folder_statistics(folder: Path) -> dict[str, Any]:
    """The same of a release in a folder, as far as the folder knows it.  Raises BadInput."""
    from ccnet.recipe import SUMMARY
    from ccnet.stats import corpus_statistics

    try:
        languages = corpus_statistics(folder)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for language, row in languages.items():
        row |= _known(language) | {"tokens": None, "reference_bytes": None, "steps": {}}
    summary = folder / SUMMARY
    counts = json.loads(summary.read_text(encoding="utf-8"))["counts"] if summary.is_file() else {}
    dropped = {step: _reasons(found) for step, found in counts.items() if _reasons(found)}
    return {"release": str(folder), "dropped": dropped, "crawls": {}, "languages": languages}


def _known(language: str) -> dict[str, Any]:
    known = LANGUAGES.get(language)  # a recipe without a choice of languages keeps all that the identifier knows
    if known is None:
        return {"name": language, "paper_gib": None, "paper_tokens_m": None}
    return {"name": known.name, "paper_gib": known.paper_gib, "paper_tokens_m": known.paper_tokens_m}


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


def _steps(manifests: Iterable[Manifest]) -> dict[str, dict[str, Any]]:
    """stage -> documents_in, documents_kept, dropped, of the stages that documents pass."""
    sums: dict[str, Counter[str]] = {}
    for manifest in manifests:
        if "documents_in" in manifest.counts:
            sums.setdefault(manifest.stage, Counter()).update(manifest.counts)
    steps = {
        stage: {"documents_in": c["documents_in"], "documents_kept": c["documents_kept"], "dropped": _reasons(c)}
        for stage, c in sums.items()
    }
    return dict(sorted(steps.items(), key=lambda item: stages.NAMES.index(item[0])))


def _reasons(counts: Mapping[str, int]) -> dict[str, int]:
    named = sorted(counts.items())
    return {name.removeprefix("dropped_"): n for name, n in named if name.startswith("dropped_") and n}


def _by_crawl(manifests: Sequence[Manifest]) -> dict[str, dict[str, Any]]:
    slices: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        crawl, slash, _ = manifest.unit.partition("/")
        if slash:
            slices.setdefault(crawl, []).append(manifest)
    return {crawl: _steps(found) for crawl, found in sorted(slices.items())}


def _filtered(store: ArtifactStore, manifests: Sequence[Manifest]) -> dict[str, Counter[str]]:
    """language -> reason -> documents that the filters dropped."""
    sums: dict[str, Counter[str]] = {}
    for manifest in manifests:
        if manifest.stage == "filter_documents" and any(a.name == REASONS for a in manifest.artifacts):
            found = json.loads(store.open(manifest.artifact(REASONS)).read_text(encoding="utf-8"))
            for language, reasons in found.items():
                sums.setdefault(language, Counter()).update(reasons)
    return sums


def _steps_of_language(
    language: str, manifests: Sequence[Manifest], filtered: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """What `identify` kept of the language, and what the stages after it dropped."""
    kept = sum(m.counts.get(f"kept_{language}", 0) for m in manifests if m.stage == "identify")
    regrouped = _steps(m for m in manifests if m.stage == "regroup" and m.unit == language)
    dropped = {stage: row["dropped"] for stage, row in regrouped.items()}
    return {"identify": {"kept": kept}, "filter_documents": dict(filtered.get(language, {})), **dropped}


def corpus_table(statistics: Mapping[str, Any]) -> Table:
    table = Table(title="Corpus by language", caption=_caption(statistics))
    texts = ("code", "language")
    for name in (*texts, "documents", "paragraphs", "MiB", "tokens", "head / middle / tail / all", "paper GiB"):
        table.add_column(name, justify="left" if name in texts else "right")
    for language, row in statistics["languages"].items():
        total = {name: sum(bucket[name] for bucket in row["buckets"].values()) for name in AMOUNTS}
        parts = " / ".join(str(row["buckets"].get(b, {}).get("documents", 0)) for b in Bucket)
        tokens = "" if row["tokens"] is None else f"{row['tokens']:,}"
        paper = "" if row["paper_gib"] is None else f"{row['paper_gib']:g}"
        table.add_row(language, row["name"], f"{total['documents']:,}", f"{total['paragraphs']:,}",
                      f"{total['bytes'] / 2**20:.2f}", tokens, parts, paper)  # fmt: skip
    return table


def _caption(statistics: Mapping[str, Any]) -> str:
    dropped = (
        f"{stage} dropped: " + ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        for stage, reasons in statistics["dropped"].items()
    )
    return "\n".join([str(statistics["release"]), *dropped])


def corpus_csv(statistics: Mapping[str, Any]) -> str:
    """A line a language, bucket and dump."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("language", "bucket", "crawl", *AMOUNTS))
    for language, row in statistics["languages"].items():
        for crawl, buckets in sorted(row["crawls"].items()):
            for bucket, amounts in sorted(buckets.items()):
                writer.writerow((language, bucket, crawl, *(amounts[name] for name in AMOUNTS)))
    return out.getvalue()
