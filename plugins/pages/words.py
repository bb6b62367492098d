"""How the templates of all pages say amounts, shares, changes and dates."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipeline.corpus_views import amount, size


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


def quoted(name: str) -> str:
    """As a segment of a path."""
    return quote(name, safe="")


FILTERS: dict[str, Any] = {"size": sized, "count": counted, "short": amount, "day": day, "quoted": quoted}
GLOBALS: dict[str, Any] = {"share": share, "change": change}
