"""report.html: one self-contained page; every text that comes from data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from evaluation.report_plots import bucket_plot, corpus_plot, loss_plot, score_plot

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:960px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #ddd}
table{border-collapse:collapse;font-size:.85rem;width:100%}td,th{padding:.2rem .5rem;border-bottom:1px solid #eee}
th{text-align:left;border-bottom:2px solid #bbb}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.scale{background:#fff6e0;border-left:4px solid #d9a441;padding:.6rem 1rem}svg{width:100%;height:auto}
code{font-size:.78rem;word-break:break-all}.muted{color:#777}
"""


def render_page(report: Mapping[str, Any]) -> str:
    """The whole page as text."""
    run, vocabulary = report["pretraining"], report["vocabulary"]
    speed = f", {run['tokens_per_s']:,} tokens/s" if "tokens_per_s" in run else ""
    parts = [
        "<h1>XLM-R run report</h1>",
        f"<p class=muted>{escape(', '.join(report['crawls']))}</p>",
        f"<p class=scale>{escape(report['scale'])}</p>",
        "<h2>Corpus by language</h2>",
        corpus_plot(report["corpus"]),
        _corpus(report["corpus"]),
        "<h2>Perplexity buckets</h2>",
        "<p>Documents by perplexity under their language's model; <i>all</i>: no model for the language.</p>",
        bucket_plot(report["corpus"]),
        "<h2>What was dropped, and why</h2>",
        _dropped(report),
        "<h2>Vocabulary</h2>",
        f"<p>{vocabulary['pieces']:,} SentencePiece pieces, languages sampled with alpha = {vocabulary['alpha']}.</p>",
        "<h2>Pretraining</h2>",
        f"<p>{run['parameters']:,} parameters, {run['steps']:,} updates, {run['world_size']} processes{speed}. Loss "
        f"{run['first_loss_nats']:.3f} nats over the first {run['loss_window_updates']} updates, "
        f"{run['last_loss_nats']:.3f} over the last; a uniform guess has {run['uniform_loss_nats']:.3f}.</p>",
        loss_plot(run),
        "<h2>Benchmarks</h2>",
        "<p>Fine-tuned on English; every other language is zero-shot.</p>",
        score_plot(report["benchmarks"]),
        _benchmarks(report["benchmarks"]),
        _stages(report.get("stages", {})),
    ]
    head = f"<meta charset=utf-8><title>XLM-R run report</title><style>{STYLE}</style>"
    return f"<!DOCTYPE html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def in_walk_order(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int], Mapping[str, int]]]:
    """(stage, reasons, documents in and kept) of the filters, the one that saw most documents first."""
    flow = report["flow"]
    stages = sorted(flow, key=lambda stage: -flow[stage]["documents_in"])
    return [(stage, report["dropped"][stage], flow[stage]) for stage in stages]


def _corpus(corpus: Mapping[str, Any]) -> str:
    header = ("code", "language", "documents", "paragraphs", "MiB", "tokens", "paper GiB", "paper tokens (M)")
    rows = [
        (code, row["name"], f"{row['documents']:,}", f"{row['paragraphs']:,}", f"{row['gib'] * 1024:.2f}",
         f"{row['tokens']:,}", _or_dash(row["paper_gib"]), _or_dash(row["paper_tokens_m"]))
        for code, row in sorted(corpus.items(), key=lambda item: -item[1]["gib"])
    ]  # fmt: skip
    return _table(header, rows, texts=2)


def _dropped(report: Mapping[str, Any]) -> str:
    rows = []
    for stage, reasons, flow in in_walk_order(report):
        said = ", ".join(f"{reason.replace('_', ' ')}: {n:,}" for reason, n in reasons.items()) or "nothing"
        rows.append((stage, said, f"{flow['documents_in']:,}", f"{flow['documents_kept']:,}"))
    return _table(("stage", "dropped", "documents in", "documents kept"), rows, texts=2)


def _benchmarks(rows: Iterable[Mapping[str, Any]]) -> str:
    header = ("benchmark", "language", "metric", "score", "chance", "examples", "seed", "paper", "lineage")
    shown = [
        (row["benchmark"], row["language"], row["metric"], f"{row['value']:.1f}", _or_dash(row["chance"]),
         str(row["examples"]), str(row["seed"]), _or_dash(row["paper"]), f"\0{row['lineage']}")
        for row in rows
    ]  # fmt: skip
    return _table(header, shown, texts=3)


def _stages(stages: Mapping[str, Any]) -> str:
    if not stages:
        return ""
    rows = [
        (name, "already there" if row["skipped"] else "", str(row["units"]), f"{row['seconds']:.1f}")
        for name, row in stages.items()
    ]
    return "<h2>Stages</h2>" + _table(("stage", "in this run", "units", "seconds"), rows, texts=2)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int) -> str:
    """A table whose first `texts` columns are text and whose others are numbers; \\0 marks a URI."""
    heads = "".join(f"<th{'' if i < texts else ' class=n'}>{escape(name)}</th>" for i, name in enumerate(header))
    body = "".join(f"<tr>{''.join(_cell(value, i >= texts) for i, value in enumerate(row))}</tr>" for row in rows)
    return f"<table><tr>{heads}</tr>{body}</table>"


def _cell(value: str, number: bool) -> str:
    if value.startswith("\0"):
        return f"<td><code>{escape(value[1:])}</code></td>"
    return f"<td{' class=n' if number else ''}>{escape(value)}</td>"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
