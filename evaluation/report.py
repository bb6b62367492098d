"""A run's report: report.json for programs, report.html, report.md and report.tex to read, tables for a terminal.

Its content is a dict of plain values (see pipeline/stages/report.py): scale, crawls, benchmarks; where they are known
corpus, dropped, flow, vocabulary, pretraining, else sizes (GiB by language); where a run is shown, stages.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.report_figures import as_plain, shown_figures
from evaluation.report_page import in_stage_order, render_latex, render_markdown, render_page
from evaluation.report_shapes import NOTHING, OURS, PUBLISHED, PaperTable
from evaluation.report_tables import tables_of
from training.storage import DiskFolder


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """report.json, a self-contained report.html, report.md, report.tex; the same report gives the same bytes."""
    target = DiskFolder(folder.absolute())
    for form in FORMS:
        target.put(render(report, form).encode(), f"report.{form}")


def render(report: Mapping[str, Any], form: str) -> str:
    """The report as json, html, md or tex."""
    return FORMS[form](report)


def _as_json(report: Mapping[str, Any]) -> str:
    figures = as_plain(report["benchmarks"])
    stated = {**report, "figures": figures} if figures else report
    return json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


FORMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "json": _as_json, "html": render_page, "md": render_markdown, "tex": render_latex,
}  # fmt: skip


def as_text(report: Mapping[str, Any], width: int = 120) -> str:
    """What was run at which scale, the corpus, what was dropped, pretraining, and scores beside the paper's."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(f"Scale: {report['scale']}")
    if "corpus" in report:
        _print_corpus_and_training(report, console)
    for table in tables_of(report["benchmarks"], len(report.get("corpus", ()))):
        for part in _score_tables(table):
            console.print(part)
    for figure in shown_figures(report["benchmarks"]):
        console.print(_figure_table(figure.table))
    return out.getvalue()


def _print_corpus_and_training(report: Mapping[str, Any], console: Console) -> None:
    console.print(_corpus_table(report))
    for stage, reasons, flow in in_stage_order(report):
        said = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in reasons.items()) or "nothing"
        console.print(
            f"{stage}: {flow['documents_in']:,} documents in, {flow['documents_kept']:,} kept; dropped: {said}"
        )
    if report["vocabulary"]:
        pieces, alpha = (report["vocabulary"][name] for name in ("pieces", "alpha"))
        console.print(f"\nvocabulary: {pieces:,} SentencePiece pieces, alpha {alpha}")
    run = report["pretraining"]
    speed = f", {run['tokens_per_s']:,} tokens/s on {run['world_size']} processes" if "tokens_per_s" in run else ""
    console.print(
        f"pretraining: {run['parameters']:,} parameters, {run['steps']:,} updates; loss {run['first_loss_nats']:.3f} "
        f"(first {run['loss_window_updates']} updates) to {run['last_loss_nats']:.3f} nats (last); a uniform guess has "
        f"{run['uniform_loss_nats']:.3f}{speed}\n"
    )


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


def _figure_table(found: PaperTable) -> Table:
    table = Table(title=found.title, caption="\n".join(found.notes))
    for name in ("checkpoint", *found.columns):
        table.add_column(name, justify="left" if name == "checkpoint" else "right")
    for section in found.sections:
        table.add_section()
        table.add_row(section.title, style="italic")
        for line in section.lines:
            table.add_row(line.label, *(cell.text for cell in line.cells))
    return table


def _score_tables(found: PaperTable) -> Iterator[Table]:
    """One for each section that has rows of ours; a test set a row, since a terminal is narrower than the paper: our
    rows, and the paper's XLM-R."""
    for section in found.sections:
        if all(line.kind == PUBLISHED for line in section.lines):
            continue
        lines = [line for line in section.lines if line.kind != PUBLISHED or line.label == "XLM-R"]
        table = Table(title=": ".join(filter(None, (found.title, section.title))))
        table.add_column("test set")
        if found.facts:
            for line in lines:
                table.add_column(line.label, justify="right")
            for place, name in enumerate(found.facts):
                table.add_row(name, *(line.facts[place] for line in lines))
            table.add_section()
            for place, name in enumerate(found.columns):
                if any(line.kind == OURS and line.cells[place].text != NOTHING for line in lines):
                    table.add_row(name, *(line.cells[place].text for line in lines))
        else:
            for name in found.columns:
                table.add_column(name, justify="right")
            for line in lines:
                table.add_row(line.label, *(cell.text for cell in line.cells))
        yield table
