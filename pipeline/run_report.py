"""The report of a run in a folder to look at: what the stage `report` wrote, with this run's times and speeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.lineage import trace
from pipeline.store import ArtifactStore


def present(store: ArtifactStore, uri: str, stages: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write report.json and report.html into `folder` and return the report.

    `stages` says for each stage the units, seconds and whether it was skipped in this run.
    """
    from evaluation.report import write_report

    manifest = store.manifest(uri)
    report: dict[str, Any] = json.loads(store.open(manifest.artifact("report.json")).read_text(encoding="utf-8"))
    report["stages"] = dict(stages)
    report["report"] = uri
    for row in report["benchmarks"]:
        row["lineage"] = store.uri(row["lineage"])
    for parent in manifest.inputs:
        if parent.startswith("pretrain/"):
            report["pretraining"]["tokens_per_s"] = store.manifest(parent).counts["tokens_per_s"]
    write_report(report, folder)
    return report


def stages_of(store: ArtifactStore, uri: str) -> dict[str, dict[str, Any]]:
    """stage -> units and seconds of all that a report goes back to."""
    rows: dict[str, dict[str, Any]] = {}
    for ancestor in trace(store, uri):
        if not ancestor.seen:
            row = rows.setdefault(ancestor.manifest.stage, {"units": 0, "seconds": 0.0, "skipped": True})
            row["units"] += 1
            row["seconds"] = round(row["seconds"] + ancestor.manifest.seconds, 2)
    return rows
