"""The report's plots, as SVG text: corpus by language, loss, scores, the paper's figures 2 to 7."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from evaluation.figures import on_axis
from evaluation.report_figures import X_NAMES, ShownFigure, told_x

OWN, PAPER, CHANCE = "#1f6f8b", "#d9a441", "#999999"
BUCKETS = {"head": "#1f6f8b", "middle": "#5fa8b8", "tail": "#b5d5dc", "all": "#cfcfcf"}
LINES = ("#1f6f8b", "#b5533c", "#6a8f3c", "#7a5aa6", "#444444", "#c27ba0")
# Group of languages -> what it is called, its line and mark.
GROUPS: Mapping[str, tuple[str, Any, str]] = {
    "high_resource": ("en, fr", ":", "^"),
    "average": ("average", "-", "o"),
    "low_resource": ("sw, ur", "--", "v"),
}
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "xlmr", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def corpus_plot(corpus: Mapping[str, Any]) -> str:
    """Own corpus and the paper's CC-100, GiB on a log scale (as Figure 1)."""
    rows = sorted((row for row in corpus.items() if row[1]["gib"] > 0), key=lambda item: -item[1]["gib"])
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.bar([p - 0.2 for p in places], [row["gib"] for _, row in rows], 0.4, color=OWN, label="this run")
    known = [(place, row["paper_gib"]) for place, (_, row) in enumerate(rows) if row["paper_gib"]]
    axes.bar([p + 0.2 for p, _ in known], [gib for _, gib in known], 0.4, color=PAPER, label="CC-100 (paper, table 6)")
    axes.set_yscale("log")
    axes.set_xticks(list(places), [code for code, _ in rows], rotation=45)
    axes.set_ylabel("text, GiB (log scale)")
    axes.legend(frameon=False, loc="upper right", ncols=2)
    return _svg(figure, axes)


def bucket_plot(corpus: Mapping[str, Any]) -> str:
    """Share of head, middle, tail and all among each language's documents."""
    rows = [(code, row) for code, row in sorted(corpus.items()) if row["documents"]]
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots()
    below = [0.0] * len(rows)
    for bucket, colour in BUCKETS.items():
        shares = [100 * row["buckets"].get(bucket, 0) / row["documents"] for _, row in rows]
        axes.bar(range(len(rows)), shares, 0.7, bottom=below, color=colour, label=bucket)
        below = [low + share for low, share in zip(below, shares, strict=True)]
    axes.set_xticks(range(len(rows)), [code for code, _ in rows], rotation=45)
    axes.set_ylabel("documents, %")
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure, axes)


def loss_plot(run: Mapping[str, Any]) -> str:
    """Masked-LM loss over the updates, with that of a uniform guess."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.plot([step for step, _ in run["curve"]], [loss for _, loss in run["curve"]], color=OWN, label="masked-LM loss")
    axes.axhline(run["uniform_loss_nats"], color=CHANCE, linestyle="--", linewidth=1, label="uniform guess")
    axes.set_xlabel("update")
    axes.set_ylabel("loss, nats")
    axes.legend(frameon=False)
    return _svg(figure, axes)


def score_plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Headline scores (means over seeds) beside the paper's and chance, for the benchmarks of the paper.

    Empty for several models: their rows are in the tables.
    """
    if len({row.get("checkpoint_name", "") for row in rows}) > 1:
        return ""
    shown = [row for row in rows if row["headline"] and row["paper"] is not None]
    if not shown:
        return ""
    bars: dict[str, dict[str, list[Mapping[str, Any]]]] = {}  # test set -> series -> a row for each seed
    for name in dict.fromkeys(row["benchmark"] for row in shown):
        own = [row for row in shown if row["benchmark"] == name]
        series = _series(own)
        for row in own:
            bars.setdefault(f"{name} {row['language']}", {}).setdefault(series(row) or "this run", []).append(row)
    labels = list(dict.fromkeys(label for found in bars.values() for label in found))
    figure = Figure(figsize=(9, 3.0), layout="constrained")
    axes = figure.subplots()
    for place, found in enumerate(bars.values()):
        width = 0.8 / len(found)
        for number, (label, seeds) in enumerate(found.items()):
            middle = place - 0.4 + (number + 0.5) * width
            axes.bar(middle, fmean(row["value"] for row in seeds), width, color=LINES[labels.index(label) % len(LINES)])
            axes.plot(middle, seeds[0]["paper"], color=PAPER, marker="D", markersize=5, linestyle="")
            if seeds[0]["chance"]:
                axes.hlines(seeds[0]["chance"], place - 0.45, place + 0.45, color="black", linewidth=1)
    keys = [Patch(color=LINES[number % len(LINES)], label=label) for number, label in enumerate(labels)]
    keys.append(Line2D([], [], color=PAPER, linestyle="", marker="D", label="paper's XLM-R"))  # type: ignore[arg-type]
    axes.set_xticks(range(len(bars)), list(bars), rotation=90)
    axes.set_xlim(-0.7, len(bars) - 0.3)
    axes.set_ylabel("score, % (line: chance)")
    axes.set_ylim(0, 100)
    axes.legend(handles=keys, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure, axes)


def size_plot(rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, float], what: str) -> str:
    """Scores (headline, mean over seeds) of XNLI, NER or the first other benchmark against the language's text.

    `sizes`: language -> GiB, `what` says of which corpus.  Empty where no benchmark has two such languages.
    """
    names = dict.fromkeys(("xnli", "ner", *(row["benchmark"] for row in rows)))
    for benchmark in names:
        found = _means(rows, benchmark, sizes)
        if any(len(scores) > 1 for scores in found.values()):
            break
    else:
        return ""
    figure = Figure(figsize=(9, 3.0), layout="constrained")
    axes = figure.subplots()
    for series, scores in found.items():
        places = {language: (sizes[language], value) for language, value in scores.items()}
        axes.scatter([x for x, _ in places.values()], [y for _, y in places.values()], label=series,
                     color=OWN if len(found) == 1 else None)  # fmt: skip
        for language, place in places.items():
            axes.annotate(language, place, textcoords="offset points", xytext=(4, 4))
    axes.set_xscale("log")
    axes.set_xlabel(f"{what}, GiB (log scale)")
    axes.set_ylabel(f"{benchmark}, %")
    if len(found) > 1:
        axes.legend(frameon=False)
    return _svg(figure, axes)


def figure_plot(shown: ShownFigure) -> str:
    """Mean accuracies over x, whose values are at equal distances; narrow enough for a phone."""
    lines = shown.figure.lines
    values = sorted({point.x for line in lines for point in line.points}, key=on_axis)
    places = {value: place for place, value in enumerate(values)}
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, line in enumerate(lines):
        for group, (_, style, mark) in GROUPS.items():
            found = [(places[point.x], fmean(scores)) for point in line.points if (scores := getattr(point, group))]
            axes.plot([x for x, _ in found], [y for _, y in found], color=LINES[number % len(LINES)], linestyle=style,
                      marker=mark, markersize=5)  # fmt: skip
    paper = [(places[point.x], point.average) for point in shown.paper if point.x in places]
    axes.plot([x for x, _ in paper], [y for _, y in paper], color=PAPER, linestyle="", marker="D", markersize=6)
    axes.set_xticks(list(places.values()), [told_x(shown.figure.x, value) for value in values])
    axes.margins(x=0.12)
    axes.set_xlabel(X_NAMES[shown.figure.x])
    axes.set_ylabel("XNLI accuracy, %")
    figure.legend(handles=_keys(shown, bool(paper)), frameon=False, loc="outside upper left", ncols=2, fontsize=8)
    return _svg(figure, axes)


def _keys(shown: ShownFigure, paper: bool) -> list[Line2D]:
    """What lines and marks mean: groups of languages, then lines by colour, then the paper's numbers."""
    keys = [Line2D([], [], color="#555555", linestyle=style, marker=mark, markersize=5, label=name)
            for name, style, mark in GROUPS.values()]  # fmt: skip
    keys += [Line2D([], [], color=LINES[number % len(LINES)], linewidth=3, label=label)
             for number, label in enumerate(shown.labels) if label]  # fmt: skip
    if paper:
        keys.append(Line2D([], [], color=PAPER, linestyle="", marker="D", label="the paper's average"))
    return keys


def _means(
    rows: Sequence[Mapping[str, Any]], benchmark: str, sizes: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """series -> language -> mean over seeds."""
    found: dict[str, dict[str, list[float]]] = {}
    shown = [row for row in rows if row["benchmark"] == benchmark and row["headline"]]
    series = _series(shown)
    for row in shown:
        if sizes.get(row["language"], 0) > 0:
            found.setdefault(series(row), {}).setdefault(row["language"], []).append(row["value"])
    return {name: {language: fmean(values) for language, values in scores.items()} for name, scores in found.items()}


def _series(rows: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], str]:
    """What scores of one mean have in common: of checkpoint, setting and selection those in which the rows differ."""
    told = [name for name in ("checkpoint_name", "setting", "selection") if len({row.get(name) for row in rows}) > 1]
    return lambda row: " ".join(str(row.get(name, "")) for name in told)


def _svg(figure: Figure, axes: Any) -> str:
    """The figure as an SVG element, without a date, so that the same data gives the same text."""
    axes.spines[["top", "right"]].set_visible(False)
    out = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    return re.sub(r'(width|height)="[\d.]+pt"', "", svg[svg.index("<svg") :], count=2)
