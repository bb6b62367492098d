"""How the templates of the Models page say losses, scores and differences, and draw small curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from babel import Locale
from babel.core import get_global

from pipeline.corpus_views import amount, language_name
from pipeline.score_views import BenchmarkScores
from pipeline.verdicts import Change

WIDTH, HEIGHT = 100, 24  # of a small curve
COUNTS = {"parameters": "parameters", "tokens": "tokens", "updates": "updates", "pieces": "pieces",
          "documents": "documents", "languages": "languages"}  # fmt: skip


def loss(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def score(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def interval(change: Change) -> str:
    return f"{signed(change.low)} to {signed(change.high)}"


def way(setting: str, selection: str) -> str:
    """How a benchmark was scored; where nothing was trained, no epoch was selected."""
    return setting if selection in ("", "none") else f"{setting}, selection {selection}"


def test_set(code: str) -> str:
    """The language of a test set such as sw, en-matched or swh_Latn; the code itself where nobody names it."""
    for known in (code, code.split("-")[0]):
        if (name := language_name(known)) != known:
            return name
    language, _, script = code.split("-")[0].partition("_")
    names = Locale("en").languages
    name = names.get(get_global("language_aliases").get(language, language), "")  # eng is en there
    if not name:
        return code
    return f"{name}, {Locale('en').scripts.get(script, script)}" if script not in ("", "Latn") else name


def bounds(curves: Iterable[Sequence[float | None]]) -> tuple[float, float]:
    """The lowest and the highest loss of all curves, so that small curves share a scale."""
    known = [value for curve in curves for value in curve if value is not None]
    return (min(known), max(known)) if known else (0.0, 1.0)


def polyline(curve: Sequence[float | None], least: float, most: float) -> str:
    """Points of an SVG polyline in a box of WIDTH by HEIGHT."""
    span, last = (most - least) or 1.0, max(len(curve) - 1, 1)
    return " ".join(
        f"{WIDTH * place / last:.1f},{1 + (HEIGHT - 2) * (most - value) / span:.1f}"
        for place, value in enumerate(curve)
        if value is not None
    )


def amounts(counts: dict[str, int]) -> list[str]:
    """Those counts of a manifest that say how large a thing is."""
    return [f"{amount(counts[name])} {said}" for name, said in COUNTS.items() if name in counts]


def flags(group: BenchmarkScores) -> dict[str, list[str]]:
    """What a reader must know -> the test sets that it is about."""
    found: dict[str, list[str]] = {}
    for each in group.scores:
        for flag in each.flags:
            found.setdefault(flag, []).append(each.language)
    return found


def by_setting(changes: Iterable[Change]) -> Iterable[tuple[str, list[Change]]]:
    """Benchmark and setting, with the differences of all its metrics."""
    found: dict[str, list[Change]] = {}
    for each in changes:
        found.setdefault(f"{each.benchmark} {each.setting}", []).append(each)
    return sorted(found.items())


FILTERS: dict[str, Any] = {
    "by_setting": by_setting,
    "flags": flags,
    "loss": loss, "score": score, "signed": signed, "interval": interval, "test_set": test_set, "amounts": amounts,
}  # fmt: skip
GLOBALS: dict[str, Any] = {"bounds": bounds, "polyline": polyline, "way": way}
