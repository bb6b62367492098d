"""Statistics of two small dumps, and the manifests that `summarize` and `publish` would leave for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from benchmarks.recorded_statistics import write
from pipeline.manifest import parse_key
from pipeline.statistics import Kind
from pipeline.store import ArtifactStore

AT = "2026-08-01T00:00:00+00:00"
ATTACK = "</p><script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"


def amounts(documents: int, size_bytes: int) -> dict[str, int]:
    return {"documents": documents, "paragraphs": 2 * documents, "characters": 10 * documents, "bytes": size_bytes}


def language(crawl: str, buckets: dict[str, dict[str, int]], **more: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"perplexity": {}, "length": {}, "language_score": {}, "domains": {}, "samples": {}}
    return nothing | {"buckets": buckets, "crawls": {crawl: buckets}} | more


def steps(identified: int, kept: int) -> dict[str, Any]:
    lost = {"only_duplicate_paragraphs": 40 - identified}
    return {
        "deduplicate": {"documents_in": 40, "documents_kept": identified, "dropped": lost},
        "extract": {"documents_in": 100, "documents_kept": 40, "dropped": {"too_short": 60}},
        "identify": {"documents_in": identified, "documents_kept": kept, "dropped": {"low_score": identified - kept}},
    }  # fmt: skip


def first() -> dict[str, Any]:
    """English (10 documents) and Swahili (6, without a language model); its first sample attacks its reader."""
    crawl = "CC-MAIN-2026-30"
    sample = {
        "url": "http://a.example/<b>", "crawl": crawl, "perplexity": None, "language_score": 0.61, "length": 4000,
        "text": ATTACK,
    }  # fmt: skip
    english = {"head": amounts(4, 40), "tail": amounts(6, 60)}
    more = {"length": {"256": 4, "1024": 6}, "perplexity": {"512": 10}, "domains": {"<i>a.example": 10}}
    languages = {
        "en": language(crawl, english, **more),
        "sw": language(crawl, {"all": amounts(6, 90)}, length={"64": 6}, samples={"all": [sample]}),
    }
    return {"crawl": crawl, "steps": steps(20, 16), "languages": languages}


def second() -> dict[str, Any]:
    """English (20 documents) and Urdu (4)."""
    crawl = "CC-MAIN-2026-34"
    english = {"head": amounts(8, 80), "tail": amounts(12, 120)}
    more = {
        "length": {"64": 5, "256": 15}, "perplexity": {"512": 20}, "domains": {"a.example": 8, "b.example": 12},
        "steps": {"identify": {"kept": 25}, "filter_documents": {"length": 5}},
    }  # fmt: skip
    languages = {"en": language(crawl, english, **more), "ur": language(crawl, {"all": amounts(4, 50)})}
    return {"crawl": crawl, "steps": steps(33, 29), "languages": languages}


def write_dump(store: ArtifactStore, crawl: str, statistics: dict[str, Any], at: str = AT) -> str:
    """The fingerprint."""
    return parse_key(write(store, Kind.DUMP, crawl, statistics, datetime.fromisoformat(at)))[2]


def write_release(store: ArtifactStore, name: str, statistics: dict[str, Any], at: str = AT) -> str:
    return parse_key(write(store, Kind.RELEASE, name, statistics, datetime.fromisoformat(at)))[2]
