"""How the templates say amounts, dates, names of stages and places on the scale of sizes."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipeline.corpus_views import Amount, amount, size

SCALE_FROM, SCALE_TO = 2.0**10, 2.0**40  # bars of sizes: 1 KiB to 1 TiB
STAGES = {
    "fetch": "Fetched",
    "extract": "Extracted",
    "deduplicate": "Deduplicated",
    "identify": "Language identified",
    "filter_perplexity": "Scored",
    "filter_documents": "Filtered",
    "regroup": "Gathered in the release",
}
AMOUNTS = {"documents": "Documents", "paragraphs": "Paragraphs", "characters": "Characters", "bytes": "Size"}
DISTRIBUTIONS = {"perplexity": "Perplexity", "language_score": "Identification score", "length": "Length, characters"}


def on_scale(size_bytes: float) -> float:
    """Per cent of a bar on the log scale."""
    if size_bytes <= SCALE_FROM:
        return 0.0
    return round(min(100.0, 100 * math.log(size_bytes / SCALE_FROM) / math.log(SCALE_TO / SCALE_FROM)), 2)


def share(part: float, whole: float | None) -> float:
    """Per cent."""
    return round(100 * part / whole, 2) if whole else 0.0


def change(now: int, before: int | None) -> str:
    """+12.3 %; empty where there was nothing before."""
    if not before:
        return ""
    found = 100 * (now - before) / before
    return "0 %" if abs(found) < 0.05 else f"{found:+,.1f} %".replace("-", "−")


def day(written_at: str) -> str:
    """2026-11-25 08:30 UTC; the text itself where it is no date."""
    try:
        return f"{datetime.fromisoformat(written_at):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return written_at


def counted(n: float | None) -> str:
    return "" if n is None else f"{n:,}"


def sized(n: float | None) -> str:
    return "" if n is None else size(n)


def amount_of(row: Amount, n: int | None) -> str:
    return sized(n) if row.name == "bytes" else counted(n)


def stage(name: str) -> str:
    return STAGES.get(name, name)


def reason(name: str) -> str:
    return name.replace("_", " ")


def quoted(name: str) -> str:
    """As a segment of a path."""
    return quote(name, safe="")


FILTERS: dict[str, Any] = {
    "size": sized, "count": counted, "short": amount, "day": day, "stage": stage, "reason": reason, "quoted": quoted,
}  # fmt: skip
GLOBALS: dict[str, Any] = {
    "on_scale": on_scale, "share": share, "change": change, "amount_of": amount_of, "amount_names": AMOUNTS,
    "distribution_names": DISTRIBUTIONS,
}  # fmt: skip
