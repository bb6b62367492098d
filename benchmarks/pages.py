"""From WARC: our HTML extraction beside trafilatura's inside the same recipe, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccnet.extract
from ccnet.html import extract_text
from ccnet.recipe import Recipe, make_corpus
from ccnet.warc import Record, read_records

# The recipe on one file: CPU seconds, seconds by step, the release's folder.
RunOurs = Callable[[Path, Recipe, Path], tuple[float, dict[str, float], Path]]


def measure_pages(source: Path, recipe: Recipe, folder: Path, run_ours: RunOurs, sample: int = 300) -> dict[str, Any]:
    """CPU seconds of the recipe from WARC, once with each extractor, and what the texts share.

    `common_words` is the median share of trafilatura's words (main content only) that our text (all visible text) has,
    `main_content_words` the share of our words that trafilatura keeps; `shares` says where our seconds go.
    """
    ours, pages = _run(source, recipe, folder / "ours", extract_text)
    whole, stages, _ = run_ours(source, recipe, folder / "steps")
    shares_of_steps = {step: round(seconds / whole, 3) for step, seconds in stages.items()}
    found: dict[str, Any] = {"pages": pages, "ours_cpu_s": round(ours, 2), "shares": shares_of_steps}
    try:
        import trafilatura
    except ImportError:
        return found | {"trafilatura": "not installed"}

    def theirs(html: str) -> tuple[str, list[str]]:
        text = trafilatura.extract(html, include_comments=False) or ""
        return "", [line for line in text.split("\n") if line.strip()]

    seconds, _ = _run(source, recipe, folder / "theirs", theirs)
    texts = _html(source)[:sample]
    words = [(_words(extract_text(text)), _words(theirs(text))) for text in texts]
    both = [(own, other) for own, other in words if own and other]
    cost = {name: 1000 * _clock(lambda use=use: [use(text) for text in texts]) / len(texts)
            for name, use in (("ours", extract_text), ("trafilatura", theirs))}  # fmt: skip
    return found | {
        "trafilatura_cpu_s": round(seconds, 2),
        "ratio_trafilatura": round(seconds / ours, 2),
        "ms_per_page": {name: round(value, 3) for name, value in cost.items()},
        "common_words": round(statistics.median(len(own & other) / len(other) for own, other in both), 3),
        "main_content_words": round(statistics.median(len(own & other) / len(own) for own, other in both), 3),
    }


def _run(source: Path, recipe: Recipe, folder: Path, extractor: Any) -> tuple[float, int]:
    original = ccnet.extract.extract_text
    ccnet.extract.extract_text = extractor
    try:
        begun = time.process_time()
        counts = make_corpus([source], folder, recipe)
        return time.process_time() - begun, counts["extract"]["documents_in"]
    finally:
        ccnet.extract.extract_text = original


def _html(source: Path) -> list[str]:
    texts: list[str] = []
    original = ccnet.extract.extract_text

    def remember(html: str) -> tuple[str, list[str]]:
        texts.append(html)
        return original(html)

    ccnet.extract.extract_text = remember
    try:
        for record in read_records(source):
            if isinstance(record, Record) and record.type == "response":
                ccnet.extract.from_warc(record, "")
    finally:
        ccnet.extract.extract_text = original
    return texts


def _words(found: tuple[str, list[str]]) -> set[str]:
    return {word for line in found[1] for word in line.split()}


def _clock(work: Any) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
