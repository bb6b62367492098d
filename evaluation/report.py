"""A run's report: report.json for programs, report.html to look at, and tables for a terminal.

Its content is a dict of plain values (see pipeline/stages/report.py): scale, crawls, corpus, dropped, flow,
vocabulary, pretraining, benchmarks, and, where a run is shown, stages.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.report_page import in_walk_order, render_page


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """report.json and a self-contained report.html; the same report gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")


def as_text(report: Mapping[str, Any], width: int = 120) -> str:
    """The corpus, what was dropped, vocabulary and pretraining, and the benchmarks beside the paper's numbers."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(_corpus_table(report))
    for stage, reasons, flow in in_walk_order(report):
        said = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in reasons.items()) or "nothing"
        console.print(
            f"{stage}: {flow['documents_in']:,} documents in, {flow['documents_kept']:,} kept; dropped: {said}"
        )
    console.print(
        f"\nvocabulary: {report['vocabulary']['pieces']:,} SentencePiece pieces, alpha {report['vocabulary']['alpha']}"
    )
    run = report["pretraining"]
    speed = f", {run['tokens_per_s']:,} tokens/s on {run['world_size']} processes" if "tokens_per_s" in run else ""
    console.print(
        f"pretraining: {run['parameters']:,} parameters, {run['steps']:,} updates; loss {run['first_loss_nats']:.3f} "
        f"(first {run['loss_window_updates']} updates) to {run['last_loss_nats']:.3f} nats (last); a uniform guess has "
        f"{run['uniform_loss_nats']:.3f}{speed}\n"
    )
    console.print(_benchmark_table(report))
    console.print(f"Scale: {report['scale']}")
    return out.getvalue()


def _corpus_table(report: Mapping[str, Any]) -> Table:
    table = Table(title=f"Corpus by language ({', '.join(report['crawls'])})")
    for name in ("", "language", "documents", "MiB", "GiB", "tokens", "head", "middle", "tail", "all", "paper GiB"):
        table.add_column(name, justify="left" if name in ("", "language") else "right")
    for code, row in sorted(report["corpus"].items(), key=lambda item: -item[1]["gib"]):
        buckets = (f"{row['buckets'].get(bucket, 0):,}" for bucket in ("head", "middle", "tail", "all"))
        paper = "" if row["paper_gib"] is None else f"{row['paper_gib']:g}"
        table.add_row(code, row["name"], f"{row['documents']:,}", f"{row['gib'] * 1024:.2f}", f"{row['gib']:.5f}",
                      f"{row['tokens']:,}", *buckets, paper)  # fmt: skip
    return table


def _benchmark_table(report: Mapping[str, Any]) -> Table:
    table = Table(title="Benchmarks: fine-tuned on English, all other languages zero-shot")
    for name in ("benchmark", "language", "metric", "value", "chance", "examples", "seed", "paper's XLM-R"):
        table.add_column(name, justify="left" if name in ("benchmark", "language", "metric") else "right")
    for row in report["benchmarks"]:
        chance = "" if row["chance"] is None else f"{row['chance']:.1f}"
        paper = "" if row["paper"] is None else f"{row['paper']:.1f}"
        table.add_row(row["benchmark"], row["language"], row["metric"], f"{row['value']:.1f}", chance,
                      str(row["examples"]), str(row["seed"]), paper)  # fmt: skip
    return table
