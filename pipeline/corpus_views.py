"""What a reader of the corpus is shown: rows of dumps and languages, funnels, distributions, changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccnet.document import AMOUNTS, Bucket
from ccnet.languages import LANGUAGES
from pipeline.statistics import Corpus, Kind, StatisticsReader, ordered_steps, totals

TOP_DOMAINS = 20
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
DISTRIBUTIONS = ("perplexity", "language_score", "length")


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """A dump or a release in the overview.  Amounts are None where its manifest does not count them."""

    kind: str
    name: str
    version: str
    finished_at: str
    documents: int | None
    bytes: int | None
    languages: int | None


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """A language of a dump or release.  `before`: documents in the dump before, None where there is none."""

    code: str
    name: str
    documents: int
    paragraphs: int
    characters: int
    bytes: int
    buckets: dict[str, int]
    paper_gib: float | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a stage made of the documents that came to it; `documents_in` is None where it is not known."""

    stage: str
    documents_in: int | None
    documents_kept: int
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class CorpusView:
    """A dump or a release.  `buckets`: those that any language has; `funnels`: dump -> the steps of its documents."""

    corpus: CorpusRow
    buckets: tuple[str, ...]
    versions: tuple[CorpusRow, ...]
    previous: CorpusRow | None
    languages: tuple[LanguageRow, ...]
    funnels: dict[str, tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount now and in the dump before (None: not there)."""

    name: str
    now: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Bin:
    """`least` is the bin's lower bound; shares are of the documents that have the value."""

    least: float
    documents: int
    share: float
    before_share: float | None


@dataclass(frozen=True, slots=True)
class LanguageView:
    """A language of a dump or release; `row` is None where not one document of it was kept."""

    corpus: CorpusRow
    versions: tuple[CorpusRow, ...]
    previous: CorpusRow | None
    code: str
    name: str
    row: LanguageRow | None
    funnels: dict[str, tuple[Step, ...]]
    steps: tuple[Step, ...]
    amounts: tuple[Amount, ...]
    buckets: tuple[Amount, ...]
    by_dump: dict[str, dict[str, int]]
    distributions: dict[str, tuple[Bin, ...]]
    domains: dict[str, int]
    samples: dict[str, list[dict[str, Any]]]


def overview(reader: StatisticsReader) -> dict[str, list[CorpusRow]]:
    """Newest of every dump and release; reads manifests alone."""
    return {f"{kind}s": [corpus_row(corpus) for corpus in reader.newest(kind)] for kind in Kind}


def corpus_row(corpus: Corpus) -> CorpusRow:
    counts = corpus.counts
    documents = counts.get("documents", counts.get("documents_kept"))
    return CorpusRow(
        str(corpus.kind), corpus.name, corpus.fingerprint, corpus.written_at, documents, counts.get("bytes"),
        counts.get("languages"),
    )  # fmt: skip


def corpus_view(reader: StatisticsReader, corpus: Corpus) -> CorpusView:
    """Languages by size, the largest first."""
    statistics = reader.statistics(corpus)
    previous = reader.previous(corpus)
    before = reader.statistics(previous)["languages"] if previous else {}
    rows = [language_row(code, row, before.get(code)) for code, row in statistics["languages"].items()]
    return CorpusView(
        corpus_row(corpus),
        tuple(str(bucket) for bucket in Bucket if any(bucket in row.buckets for row in rows)),
        tuple(corpus_row(version) for version in reader.versions(corpus.kind, corpus.name)),
        corpus_row(previous) if previous else None,
        tuple(sorted(rows, key=lambda row: (-row.bytes, row.code))),
        _funnels(corpus, statistics),
    )


def language_row(code: str, statistics: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> LanguageRow:
    known = LANGUAGES.get(code)
    buckets = {str(b): statistics["buckets"][b]["documents"] for b in Bucket if b in statistics["buckets"]}
    return LanguageRow(
        code,
        language_name(code),
        **totals(statistics),
        buckets=buckets,
        paper_gib=known.paper_gib if known else None,
        before=totals(before)["documents"] if before else None,
    )


def language_name(code: str) -> str:
    """The code itself where CC-100 does not have it."""
    return LANGUAGES[code].name if code in LANGUAGES else code


def language_view(reader: StatisticsReader, corpus: Corpus, code: str) -> LanguageView:
    """A language that the dump does not have has no row and no amounts; the funnel of the dump tells why."""
    statistics = reader.statistics(corpus)
    found = statistics["languages"].get(code)
    previous = reader.previous(corpus)
    before = reader.statistics(previous)["languages"].get(code) if previous else None
    domains = sorted((found or {}).get("domains", {}).items(), key=lambda item: (-item[1], item[0]))
    return LanguageView(
        corpus=corpus_row(corpus),
        versions=tuple(corpus_row(version) for version in reader.versions(corpus.kind, corpus.name)),
        previous=corpus_row(previous) if previous else None,
        code=code,
        name=language_name(code),
        row=language_row(code, found, before) if found else None,
        funnels=_funnels(corpus, statistics),
        steps=_language_steps((found or {}).get("steps", {})),
        amounts=_amounts(found, before),
        buckets=_buckets(found, before),
        by_dump=_by_dump(found or {}),
        distributions={
            name: _bins(name, (found or {}).get(name, {}), (before or {}).get(name)) for name in DISTRIBUTIONS
        },
        domains=dict(domains[:TOP_DOMAINS]),
        samples={str(b): found["samples"][b] for b in Bucket if found and found.get("samples", {}).get(b)},
    )


def _funnels(corpus: Corpus, statistics: Mapping[str, Any]) -> dict[str, tuple[Step, ...]]:
    if corpus.kind is Kind.DUMP:
        steps = {corpus.name: statistics.get("steps", {})}
    else:
        steps = {dump: row.get("steps", {}) for dump, row in sorted(statistics.get("dumps", {}).items())}
    return {dump: _steps(found) for dump, found in steps.items() if found}


def _steps(steps: Mapping[str, Any]) -> tuple[Step, ...]:
    return tuple(
        Step(stage, row["documents_in"], row["documents_kept"], row["dropped"])
        for stage, row in ordered_steps(steps).items()
    )


def _language_steps(steps: Mapping[str, Any]) -> tuple[Step, ...]:
    """As `pipeline.statistics.language_steps` counts them: before identification a language is not known."""
    if "identify" not in steps:
        return ()
    kept = steps["identify"]["kept"]
    unsure = steps["identify"].get("unsure", 0)
    found = [Step("identify", None, kept, {"unsure": unsure} if unsure else {})]
    for stage, dropped in ordered_steps(steps).items():
        if stage != "identify" and dropped:
            found.append(Step(stage, kept, kept - sum(dropped.values()), dropped))
            kept -= sum(dropped.values())
    return tuple(found)


def _amounts(found: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> tuple[Amount, ...]:
    if found is None:
        return ()
    now, then = totals(found), totals(before) if before else {}
    return tuple(Amount(name, now[name], then.get(name)) for name in AMOUNTS)


def _buckets(found: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> tuple[Amount, ...]:
    """Documents of each bucket."""
    if found is None:
        return ()
    then = before["buckets"] if before else {}
    return tuple(
        Amount(str(b), found["buckets"].get(b, {}).get("documents", 0), then[b]["documents"] if b in then else None)
        for b in Bucket
        if b in found["buckets"] or b in then
    )


def _by_dump(found: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {dump: totals({"buckets": buckets}) for dump, buckets in sorted(found.get("crawls", {}).items())}


def _bins(name: str, now: Mapping[str, int], before: Mapping[str, int] | None) -> tuple[Bin, ...]:
    """By their lower bound; empty bins too, so that a chart keeps the distances."""
    whole, whole_before = sum(now.values()), sum((before or {}).values())
    return tuple(
        Bin(
            float(bin_),
            now.get(bin_, 0),
            now.get(bin_, 0) / max(whole, 1),
            before.get(bin_, 0) / max(whole_before, 1) if before is not None else None,
        )
        for bin_ in _range(name, {*now, *(before or {})})
    )


def _range(name: str, found: set[str]) -> list[str]:
    """All bins from the first to the last: scores to 1.0; powers of two with one more on both sides."""
    if not found:
        return []
    least, most = min(map(float, found)), max(map(float, found))
    if name == "language_score":
        return [f"{tenth / 10:.1f}" for tenth in range(min(round(least * 10), 5), 11)]
    first, last = max(round(math.log2(least)) - 1, 0), round(math.log2(most)) + 1
    return [str(1 << power) for power in range(first, last + 1)]


def size(size_bytes: float) -> str:
    """Three digits and a unit: 1.46 GiB."""
    place = 0
    while size_bytes >= 999.5 and place < len(UNITS) - 1:
        size_bytes /= 1024
        place += 1
    return f"{int(size_bytes)} B" if not place else f"{size_bytes:.3g} {UNITS[place]}"


def amount(n: float) -> str:
    """Three digits and a thousand's letter: 12.3M."""
    place = 0
    while n >= 999.5 and place < 4:
        n /= 1000
        place += 1
    return f"{n:.3g}{('', 'k', 'M', 'G', 'T')[place]}"
