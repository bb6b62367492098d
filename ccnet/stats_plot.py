"""A release as a figure: the paper's Figure 1 for it, buckets, and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccnet.document import Bucket

OWN, REFERENCE, PAPER = "#1f6f8b", "#7a7a7a", "#d9a441"
COLOURS = dict(zip(Bucket, ("#1f6f8b", "#5fa8b8", "#b5d5dc", "#cfcfcf"), strict=True))
INCHES_PER_LANGUAGE, LEAST_INCHES = 0.16, 9.0
GIB = 2**30


def plot_corpus(statistics: Mapping[str, Any], target: Path) -> None:
    """Write the figure; the file's ending says its format (svg, png, pdf)."""
    languages = dict(sorted(statistics["languages"].items(), key=lambda item: -_bytes(item[1])))
    figure = Figure(figsize=(max(LEAST_INCHES, INCHES_PER_LANGUAGE * len(languages)), 11), layout="constrained")
    rows = figure.subplot_mosaic([["size"] * 3, ["buckets"] * 3, ["perplexity", "language_score", "length"]])
    _sizes(rows["size"], languages)
    _buckets(rows["buckets"], languages)
    for name, label in (("perplexity", "perplexity"), ("language_score", "identification score"),
                        ("length", "length, characters")):  # fmt: skip
        _histogram(rows[name], languages, name, label)
    figure.suptitle(str(statistics.get("release") or statistics["dump"]), fontsize=8)
    figure.savefig(target, dpi=150)


def _bytes(row: Mapping[str, Any]) -> int:
    return sum(amounts["bytes"] for amounts in row["buckets"].values())


def _sizes(axes: Axes, languages: Mapping[str, Any]) -> None:
    """Figure 1: this corpus beside its reference text (Wikipedia, where that is what was given), log scale."""
    axes.bar(range(len(languages)), [_bytes(row) / GIB for row in languages.values()], color=OWN, label="this corpus")
    for name, colour, label, unit in (
        ("reference_bytes", REFERENCE, "reference text (Wikipedia)", GIB),
        ("paper_gib", PAPER, "CC-100 (paper, table 6)", 1),
    ):
        known = [(place, row[name] / unit) for place, row in enumerate(languages.values()) if row[name]]
        if known:
            places, sizes = zip(*known, strict=True)
            axes.scatter(places, sizes, s=14, color=colour, label=label, zorder=3)
    axes.set_yscale("log")
    axes.set_ylabel("text, GiB (log scale)")
    _codes(axes, languages)
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)


def _buckets(axes: Axes, languages: Mapping[str, Any]) -> None:
    documents = [sum(amounts["documents"] for amounts in row["buckets"].values()) for row in languages.values()]
    below = [0.0] * len(languages)
    for bucket, colour in COLOURS.items():
        found = [row["buckets"].get(bucket, {}).get("documents", 0) for row in languages.values()]
        shares = [100 * n / whole for n, whole in zip(found, documents, strict=True)]
        axes.bar(range(len(languages)), shares, bottom=below, color=colour, label=str(bucket))
        below = [low + share for low, share in zip(below, shares, strict=True)]
    axes.set_ylabel("documents, %")
    _codes(axes, languages)
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)


def _histogram(axes: Axes, languages: Mapping[str, Any], name: str, label: str) -> None:
    """Documents of all languages by the bins that the statistics have."""
    sums: dict[float, int] = {}
    for row in languages.values():
        for bin_, n in row[name].items():
            sums[float(bin_)] = sums.get(float(bin_), 0) + n
    bins = sorted(sums)
    axes.bar(range(len(bins)), [sums[bin_] for bin_ in bins], 0.9, color=OWN)
    axes.set_xticks(range(len(bins)), [f"{bin_:g}" for bin_ in bins], rotation=60, fontsize=7)
    axes.set_xlabel(f"{label} (from)")
    axes.set_ylabel("documents")


def _codes(axes: Axes, languages: Mapping[str, Any]) -> None:
    axes.set_xticks(range(len(languages)), list(languages), rotation=90, fontsize=7)
    axes.set_xlim(-0.7, len(languages) - 0.3)
