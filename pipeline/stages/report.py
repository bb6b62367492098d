"""The whole run on one page: corpus, what was dropped and why, loss, scores beside the paper's."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.draft import Draft
from pipeline.manifest import Manifest
from pipeline.release import STATISTICS
from pipeline.stage import Inputs, Match, Stage, StageConfig

FILTERS = ("extract", "deduplicate", "identify", "filter_documents", "regroup")


class ReportConfig(StageConfig):
    """The report says what its inputs say."""


def report(config: ReportConfig, inputs: Inputs, draft: Draft) -> None:
    """report.json and report.html, the same on every run of the same work (speeds are in the manifests)."""
    from evaluation.report import write_report

    write_report(gather(inputs), draft.path("report.json").parent)
    draft.add({"benchmark_rows": len(_benchmarks(inputs)), "languages": len(_corpus(inputs))})


def gather(inputs: Inputs) -> dict[str, Any]:
    """The report's content, in the shape of evaluation.report."""
    pretraining = _pretraining(inputs)
    release = inputs.one("publish")
    flow = {stage: _summed(inputs.of(stage), "documents_") for stage in FILTERS}
    flow = {stage: counts for stage, counts in flow.items() if counts["documents_in"]}
    return {
        "scale": _scale(inputs, pretraining),
        "crawls": sorted({manifest.unit.split("/")[0] for manifest in inputs.of("extract")}),
        "corpus": _corpus(inputs),
        "dropped": {stage: _summed(inputs.of(stage), "dropped_") for stage in flow},
        "flow": flow,
        "vocabulary": _vocabulary(inputs),
        "pretraining": pretraining,
        "benchmarks": _benchmarks(inputs),
        "release": release.key,
    }


def _summed(manifests: tuple[Manifest, ...], prefix: str) -> dict[str, int]:
    """Counts over all units: reasons without their prefix, or documents_in and documents_kept."""
    sums: Counter[str] = Counter()
    for manifest in manifests:
        sums.update({name: n for name, n in manifest.counts.items() if name.startswith(prefix)})
    if prefix == "documents_":
        return {name: sums[name] for name in ("documents_in", "documents_kept")}
    return {name.removeprefix(prefix): n for name, n in sorted(sums.items()) if n}


def _corpus(inputs: Inputs) -> dict[str, Any]:
    """Every language asked for, also those without a document, beside the paper's Table 6."""
    from ccnet.languages import LANGUAGES

    statistics = json.loads(inputs.path(inputs.one("publish"), STATISTICS).read_text(encoding="utf-8"))["languages"]
    rows = {}
    for manifest in inputs.of("encode"):
        found = statistics.get(manifest.unit, {})
        buckets = found.get("buckets", {})
        total = {
            name: sum(row[name] for row in buckets.values())
            for name in ("documents", "paragraphs", "characters", "bytes")
        }
        known = LANGUAGES[manifest.unit]
        rows[manifest.unit] = {
            "name": known.name,
            "documents": total["documents"],
            "paragraphs": total["paragraphs"],
            "characters": total["characters"],
            "gib": total["bytes"] / 2**30,
            "tokens": manifest.counts["tokens"],
            "buckets": {bucket: row["documents"] for bucket, row in sorted(buckets.items())},
            "paper_gib": known.paper_gib,
            "paper_tokens_m": known.paper_tokens_m,
        }
    return rows


def _vocabulary(inputs: Inputs) -> dict[str, Any]:
    manifest = inputs.one("train_vocabulary")
    sampled = json.loads(inputs.path(manifest, "sample.json").read_text(encoding="utf-8"))
    return {"pieces": manifest.counts["pieces"], "alpha": manifest.config["alpha"], "sampled_characters": sampled}


def _pretraining(inputs: Inputs) -> dict[str, Any]:
    manifest = inputs.one("pretrain")
    summary: dict[str, Any] = json.loads(inputs.path(manifest, "summary.json").read_text(encoding="utf-8"))
    lines = inputs.path(manifest, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    curve = [[row["step"], row["loss_nats"]] for row in map(json.loads, lines)]
    return summary | {"curve": curve}


def _benchmarks(inputs: Inputs) -> list[dict[str, Any]]:
    """One row per benchmark, language, metric and seed, with the manifest that it comes from."""
    rows: list[dict[str, Any]] = []
    for manifest in inputs.of("evaluate"):
        results = json.loads(inputs.path(manifest, "results.json").read_text(encoding="utf-8"))
        rows.extend(row | {"lineage": manifest.key} for row in results)
    return rows


def _scale(inputs: Inputs, pretraining: dict[str, Any]) -> str:
    documents = sum(row["documents"] for row in _corpus(inputs).values())
    manifest = inputs.one("pretrain")
    config = manifest.config
    tokens = manifest.counts["tokens"]
    paper_tokens = 1_500_000 * 8192 * 512
    return (
        f"{documents:,} documents; {pretraining['parameters'] / 1e6:.1f} million parameters trained on "
        f"{tokens:,} tokens "
        f"({config['steps']:,} updates of {config['batch_blocks']} blocks), about {paper_tokens / tokens:,.0f} times "
        "fewer than the paper's; benchmark sets of some hundred examples. These scores show that the whole chain "
        "runs, not that the model is good: read them beside the chance level."
    )


STAGE = Stage(
    name="report",
    version=2,
    config=ReportConfig,
    body=report,
    needs=dict.fromkeys(
        ("extract", "deduplicate", "identify", "filter_documents", "regroup", "publish", "train_vocabulary", "encode",
         "pretrain", "evaluate"), Match.ALL),
    packages=("matplotlib",),
)  # fmt: skip
