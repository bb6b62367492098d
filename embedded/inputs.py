"""Which input a run has: the one asked for, else Debian's manuals, else Common Crawl, else the small written crawl."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.debian import AptUnavailable
from pipeline.deployment import COMMON_CRAWL
from pipeline.errors import BadConfig
from pipeline.source_digest import digest_of, digest_of_listing, files_of
from pipeline.tools import LANGUAGE_IDENTIFIER as IDENTIFIER

log = logging.getLogger(__name__)

FALLBACK_CRAWL = "CC-MAIN-2019-35"
# What Debian's manuals are written in.  GNOME's help gives most of them a language model; the others' bucket is `all`.
MANUAL_LANGUAGES = (
    "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "id", "it", "ja", "ko", "nl", "pt", "ro", "ru", "sv",
    "vi", "zh-Hans", "zh-Hant",
)  # fmt: skip


@dataclass(frozen=True)
class InputChoices:
    """What the command line says of the input; empty means the default."""

    var: Path = Path("var")
    languages: str = ""
    crawls: str = ""
    segments: int = 0
    source: str = ""
    kind: str = ""
    reference: str = ""
    small: bool = False


@dataclass(frozen=True)
class Inputs:
    """Where a run's inputs lie (entries of the deployment file), and which settings fit them."""

    places: dict[str, Any]
    settings: dict[str, Any]


def make_inputs(choices: InputChoices) -> Inputs:
    """Crawl, reference text and benchmark sets, made where they are not there."""
    from embedded.benchmarks import make_benchmarks

    folder = choices.var / "input"
    crawl = _crawl(choices, folder)
    reference = Path(choices.reference) if choices.reference else _reference(folder, crawl.pop("written", False))
    benchmarks = make_benchmarks(folder / "benchmarks")
    languages = choices.languages.split(",") if choices.languages else crawl.pop("languages", _languages_of(reference))
    crawl.pop("languages", None)
    places = {
        "source": crawl.pop("source"),
        "language_identifier": str(IDENTIFIER),
        "reference": str(reference.resolve()),
        "benchmark_data": str(benchmarks.resolve()),
        "digests": {
            "language-identifier": digest_of(IDENTIFIER),
            "benchmarks": digest_of(benchmarks),
            **{f"reference/{language}": _reference_digest(reference, language) for language in languages},
        },
    }
    return Inputs(places, {"segments": choices.segments, **crawl, "languages": languages})


def _reference_digest(reference: Path, language: str) -> str:
    return digest_of_listing(files_of(reference, (f"{language}.txt", f"{language}.txt.gz")))


def _crawl(choices: InputChoices, folder: Path) -> dict[str, Any]:
    from embedded.crawls import make_debian_crawls, make_small_crawls

    if choices.crawls or choices.source:
        if not choices.crawls:
            raise BadConfig("a source without a crawl: say which dump, e.g. CRAWL=CC-MAIN-2019-35")
        return _asked_for(choices, choices.crawls.split(","))
    if not choices.small:
        try:
            made = make_debian_crawls(folder / "debian")
            found = {"source": made.base_uri, "dumps": list(made.crawls), "kind": choices.kind or "warc"}
            return found | {"languages": list(MANUAL_LANGUAGES)}
        except AptUnavailable as error:
            log.warning("no input from apt (%s): taking a slice of Common Crawl instead", error)
        if _reachable(COMMON_CRAWL):
            return _asked_for(choices, [FALLBACK_CRAWL]) | {"segments": choices.segments or 1}
        log.warning("Common Crawl cannot be reached: using the small crawl that was written for the tests")
    made = make_small_crawls(folder / "small")
    return {
        "source": made.base_uri,
        "dumps": list(made.crawls),
        "kind": choices.kind or "warc",
        "written": True,
    }


def _asked_for(choices: InputChoices, crawls: list[str]) -> dict[str, Any]:
    """Common Crawl's own text unless pages are asked for: a WARC file is 1 GiB, its WET file an eighth of that."""
    source = choices.source or COMMON_CRAWL
    return {"source": source, "dumps": crawls, "kind": choices.kind or "wet"}


def _reference(folder: Path, written: bool) -> Path:
    from embedded.reference import make_debian_reference, make_small_reference

    if not written:
        try:
            return make_debian_reference(folder / "reference")
        except AptUnavailable as error:
            log.warning("no reference text from apt (%s): using the small one that was written for the tests", error)
    return make_small_reference(folder / "small-reference")


def _languages_of(reference: Path) -> list[str]:
    return sorted(path.name.split(".")[0] for path in reference.glob("*.txt*"))


def _reachable(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False
