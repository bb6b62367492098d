"""The report as HTML, Markdown and LaTeX, from the templates beside this file; all text from data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from evaluation.report_figures import not_drawn, shown_figures
from evaluation.report_plots import bucket_plot, corpus_plot, figure_plot, loss_plot, score_plot, size_plot
from evaluation.report_tables import place_of, tables_of
from evaluation.results import ResultRow, row_of

TEX = {"\\": r"\textbackslash{}", "–": "--", "±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
# LaTeX is full of the usual marks.
LATEX_MARKS = {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<",
               "variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>"}  # fmt: skip
TEX |= {mark: "\\" + mark for mark in "&%$#_{}"}


# Of the list of all scores: columns of text, and of numbers.
SCORE_COLUMNS = (
    ("model", "benchmark", "test set", "setting", "chosen by", "metric", "fine-tuning"),
    ("score", "chance", "baseline", "examples", "seed", "epoch", "tokens", "paper"),
)


def render_page(report: Mapping[str, Any]) -> str:
    """The self-contained HTML page."""
    rows, corpus = report["benchmarks"], report.get("corpus")
    svg = {
        "scores": score_plot(rows) if rows else "",
        "size": size_plot(rows, *_sizes(report)),
        "corpus": corpus_plot(corpus) if corpus else "",
        "buckets": bucket_plot(corpus) if corpus else "",
        "loss": loss_plot(report["pretraining"]) if "pretraining" in report else "",
    }
    plots = {name: Markup(drawn) for name, drawn in svg.items()}  # our own SVG, whose texts matplotlib escapes
    content = content_of(report)
    drawn = [Markup(figure_plot(figure)) for figure in content["figures"]]
    return _environment().get_template("report.html").render(content, plots=plots, figure_plots=drawn)


def render_markdown(report: Mapping[str, Any]) -> str:
    """Tables for a README or an issue; its first line says what was run at which scale."""
    return _environment().get_template("report.md").render(content_of(report))


def render_latex(report: Mapping[str, Any]) -> str:
    """The tables of scores for a paper."""
    return _environment(LATEX_MARKS).get_template("report.tex").render(content_of(report))


def _environment(marks: Mapping[str, str] = MappingProxyType({})) -> Environment:
    folder = Path(__file__).with_name("templates")
    made = Environment(
        **marks,  # type: ignore[arg-type]
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "cell": lambda text: str(text).replace("|", r"\|"),
        "line": lambda text: " ".join(str(text).split()),
        "tex": lambda text: "".join(TEX.get(character, character) for character in str(text)),
    }
    return made


def content_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates show."""
    rows = report["benchmarks"]
    return {
        "scale": report["scale"],
        "crawls": report["crawls"],
        "vocabulary": report.get("vocabulary"),
        "tables": tables_of(rows, len(report.get("corpus", ()))),
        "figures": shown_figures(rows),
        "not_drawn": not_drawn(rows),
        "corpus_rows": _corpus(report.get("corpus", {})),
        "dropped_rows": _dropped(report) if "flow" in report else [],
        "pretraining_said": _pretraining(report["pretraining"]) if "pretraining" in report else "",
        "score_columns": SCORE_COLUMNS,
        "score_rows": _scores(rows),
        "stage_rows": [
            (name, "already there" if row["skipped"] else "", row["units"], f"{row['seconds']:.1f}")
            for name, row in report.get("stages", {}).items()
        ],
    }


def _sizes(report: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """GiB of text by language, as test sets name languages, and of which corpus."""
    if "corpus" in report:
        sizes, what = {code: row["gib"] for code, row in report["corpus"].items()}, "text of this corpus"
    else:
        sizes, what = dict(report.get("sizes", {})), "text of CC-100 (the paper's table 6)"
    if "zh-Hans" in sizes:
        sizes["zh"] = sizes["zh-Hans"]
    return sizes, what


def in_stage_order(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int], Mapping[str, int]]]:
    """(stage, reasons, documents in and kept) of the steps, in the order in which documents pass them."""
    flow = report["flow"]
    stages = report.get("order") or sorted(flow, key=lambda stage: -flow[stage]["documents_in"])
    return [(stage, report["dropped"][stage], flow[stage]) for stage in stages]


def _corpus(corpus: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (row["name"], code, f"{row['documents']:,}", f"{row['paragraphs']:,}", f"{row['gib'] * 1024:.2f}",
         f"{row['tokens']:,}", _or_dash(row["paper_gib"]), _or_dash(row["paper_tokens_m"]))
        for code, row in sorted(corpus.items(), key=lambda item: -item[1]["gib"])
    ]  # fmt: skip


def _dropped(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for stage, reasons, flow in in_stage_order(report):
        said = ", ".join(f"{reason.replace('_', ' ')}: {n:,}" for reason, n in reasons.items()) or "nothing"
        rows.append((stage, said, f"{flow['documents_in']:,}", f"{flow['documents_kept']:,}"))
    return rows


def _pretraining(run: Mapping[str, Any]) -> str:
    speed = f", {run['tokens_per_s']:,} tokens/s" if "tokens_per_s" in run else ""
    return (
        f"{run['parameters']:,} parameters, {run['steps']:,} updates, {run['world_size']} processes{speed}. Loss "
        f"{run['first_loss_nats']:.3f} nats over the first {run['loss_window_updates']} updates, "
        f"{run['last_loss_nats']:.3f} over the last; a uniform guess has {run['uniform_loss_nats']:.3f}."
    )


def _scores(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every score with its run; the first of several seeds is what tables link to."""
    found, seen = [], set[str]()
    for stored in rows:
        row, model = row_of(stored), str(stored.get("checkpoint_name", ""))
        anchor = place_of(row, model)
        texts = (model or "this model", *_texts(row), stored.get("finetuning", ""))
        found.append({"anchor": anchor if anchor not in seen else f"{anchor}-{row.seed}", "texts": texts,
                      "numbers": _numbers(row), "lineage": stored.get("lineage", "")})  # fmt: skip
        seen.add(anchor)
    return found


def _texts(row: ResultRow) -> tuple[str, ...]:
    return row.benchmark, row.language, row.setting, row.selection, row.metric


def _numbers(row: ResultRow) -> tuple[str, ...]:
    return (f"{row.value:.1f}", _one_place(row.chance), _one_place(row.baseline), f"{row.examples:,}", str(row.seed),
            str(row.epoch), str(row.max_tokens), _one_place(row.paper))  # fmt: skip


def _one_place(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
