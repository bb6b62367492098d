"""How the templates of the Corpus page name stages and reasons, and place sizes on their scale."""

from __future__ import annotations

import math
from typing import Any

from pipeline.corpus_views import Amount
from plugins.pages.words import counted, sized

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


def amount_of(row: Amount, n: int | None) -> str:
    return sized(n) if row.name == "bytes" else counted(n)


def stage(name: str) -> str:
    return STAGES.get(name, name)


def reason(name: str) -> str:
    return name.replace("_", " ")


FILTERS: dict[str, Any] = {"stage": stage, "reason": reason}
GLOBALS: dict[str, Any] = {
    "on_scale": on_scale, "amount_of": amount_of, "amount_names": AMOUNTS, "distribution_names": DISTRIBUTIONS,
}  # fmt: skip
