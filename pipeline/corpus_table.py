"""`xlmr stats`: statistics of a release, a dump or a folder as JSON, CSV or a table, beside the paper's Table 6."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ccnet.document import AMOUNTS, Bucket
from ccnet.languages import LANGUAGES
from pipeline.corpus_views import amount, language_name, size
from pipeline.errors import BadInput, MissingArtifact
from pipeline.manifest import MANIFEST_NAME, Manifest
from pipeline.statistics import (
    PRECISION,
    Corpus,
    Kind,
    StatisticsReader,
    ordered_steps,
    reasons_of,
    totals,
)
from pipeline.store import ArtifactStore


def corpus_statistics_of(store: ArtifactStore, *, name: str = "", fingerprint: str = "") -> dict[str, Any]:
    """The statistics of a dump or release, with what each stage dropped on its way.

    Without a name it is the newest release of the store, else its newest dump.  Raises MissingArtifact.
    `release` or `dump`: URI of its manifest; `dropped`: stage -> reason -> documents; `masked`: kind of contact -> how
    many; `crawls`: dump -> stage -> documents_in, documents_kept, dropped; each language has what `ccnet.stats` says,
    its tokens, its bytes of reference text, its own `steps`, and Table 6's row.
    """
    reader = StatisticsReader(store)
    corpus = _chosen(reader, name, fingerprint)
    statistics = dict(reader.statistics(corpus))
    dumps = statistics.pop("dumps", None) or {corpus.name: {"steps": statistics.pop("steps", {})}}
    languages = statistics["languages"]
    tokens, reference = _tokens(store, corpus), _reference_bytes(store, corpus)
    for language, row in languages.items():
        row |= _known(language) | {"tokens": tokens.get(language), "reference_bytes": reference.get(language)}
        row.setdefault("steps", {})
    crawls = {crawl: ordered_steps(row["steps"]) for crawl, row in sorted(dumps.items())}
    return {
        str(corpus.kind): corpus.uri,
        "dropped": _dropped([*crawls.values()], languages),
        "masked": dict(sum((Counter(row.get("masked", {})) for row in languages.values()), Counter())),
        "crawls": crawls,
        "languages": languages,
    }


def folder_statistics(folder: Path) -> dict[str, Any]:
    """The same of a release in a folder, as far as the folder knows it.  Raises BadInput."""
    from ccnet.recipe import SUMMARY
    from ccnet.stats import corpus_statistics

    try:
        languages = corpus_statistics(folder)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for language, row in languages.items():
        row |= _known(language) | {"tokens": None, "reference_bytes": None, "steps": {}}
    summary = folder / SUMMARY
    counts = json.loads(summary.read_text(encoding="utf-8"))["counts"] if summary.is_file() else {}
    dropped = {step: reasons_of(found) for step, found in counts.items() if reasons_of(found)}
    return {"release": str(folder), "dropped": dropped, "crawls": {}, "languages": languages}


def _chosen(reader: StatisticsReader, name: str, fingerprint: str) -> Corpus:
    for kind in (Kind.RELEASE, Kind.DUMP):
        found = [corpus for corpus in reader.corpora(kind) if not name or corpus.name == name]
        if name and found:
            return reader.corpus(kind, name, fingerprint)
        if found:
            return max(found, key=lambda corpus: (corpus.written_at, corpus.name))
    there = ", ".join(corpus.name for kind in Kind for corpus in reader.newest(kind)) or "none"
    wanted = f"no release or dump {name}" if name else "no release and no finished dump"
    raise MissingArtifact(f"{wanted} in this store: there are {there}. Run `xlmr corpus`, or name another --store")


def _known(language: str) -> dict[str, Any]:
    known = LANGUAGES.get(language)  # a recipe without a choice of languages keeps all that the identifier knows
    return {
        "name": language_name(language),
        "paper_gib": known.paper_gib if known else None,
        "paper_tokens_m": known.paper_tokens_m if known else None,
    }


def _tokens(store: ArtifactStore, corpus: Corpus) -> Counter[str]:
    """language -> tokens of its encoded parts."""
    key = store.key(corpus.uri)
    encoded = [manifest for manifest in _manifests(store, "encode") if key in manifest.inputs]
    tokens: Counter[str] = Counter()
    for manifest in encoded:
        tokens[manifest.unit.split("/")[0]] += manifest.counts["tokens"]
    return tokens


def _reference_bytes(store: ArtifactStore, corpus: Corpus) -> dict[str, int | None]:
    """language -> bytes of the reference text that its newest language model was trained on."""
    trained = sorted(_manifests(store, "train_lm"), key=lambda manifest: manifest.written_at)
    return {manifest.unit: manifest.counts.get("reference_bytes") for manifest in trained}


def _manifests(store: ArtifactStore, stage: str) -> list[Manifest]:
    return [store.manifest(key) for key in store.list(f"{stage}/") if key.endswith(f"/{MANIFEST_NAME}")]


def _dropped(dumps: Iterable[Mapping[str, Any]], languages: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """stage -> reason -> documents, of all dumps, and of `regroup`, which knows languages alone."""
    sums: dict[str, Counter[str]] = {}
    for steps in dumps:
        for stage, row in steps.items():
            sums.setdefault(stage, Counter()).update(row["dropped"])
    for row in languages.values():
        sums.setdefault("regroup", Counter()).update(row["steps"].get("regroup", {}))
    return {stage: dict(reasons) for stage, reasons in ordered_steps(sums).items() if reasons}


def corpus_table(statistics: Mapping[str, Any]) -> Group:
    """At most 80 columns wide, the largest language first; above it the URI, below it what was dropped."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("code", no_wrap=True)
    table.add_column("language", min_width=8, max_width=20)  # the one that may take two lines
    for name in ("documents", "size", "tokens", "head/middle\n/tail/all %", "paper"):
        table.add_column(name, justify="right", no_wrap=True)
    for language, row in sorted(statistics["languages"].items(), key=lambda item: -totals(item[1])["bytes"]):
        amounts = totals(row)
        paper = "" if row["paper_gib"] is None else size(row["paper_gib"] * 2**30)
        tokens = "" if row["tokens"] is None else amount(row["tokens"])
        table.add_row(language, row["name"], f"{amounts['documents']:,}", size(amounts["bytes"]), tokens,
                      _shares(row, amounts["documents"]), paper)  # fmt: skip
    uri = Text(str(statistics.get("release") or statistics.get("dump")), overflow="fold")
    return Group(uri, table, *_identification(statistics), *_dropped_lines(statistics))


def _shares(row: Mapping[str, Any], documents: int) -> str:
    found = [row["buckets"].get(bucket, {}).get("documents", 0) for bucket in Bucket]
    return "/".join(f"{100 * n / max(documents, 1):.0f}" for n in found)


def _identification(statistics: Mapping[str, Any]) -> list[Table]:
    """Of languages that several identifiers were asked about: none where one named all."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title="identification", title_justify="left")
    for name in ("code", "kept", "identifiers\nagree", "unsure", "precision on\nheld-out text"):
        table.add_column(name, justify="left" if name == "code" else "right", no_wrap=True)
    for language, row in sorted(statistics["languages"].items()):
        found = row["steps"].get("identify", {})
        if PRECISION in row or "agreed" in found or "unsure" in found:
            kept = found.get("kept", 0)
            agreed = f"{100 * found.get('agreed', 0) / max(kept, 1):.0f} %"
            precision = f"{row[PRECISION]:.3f}" if PRECISION in row else ""
            table.add_row(language, f"{kept:,}", agreed, f"{found.get('unsure', 0):,}", precision)
    return [table] if table.row_count else []


def _dropped_lines(statistics: Mapping[str, Any]) -> list[str]:
    told = {f"{stage} dropped": reasons for stage, reasons in statistics["dropped"].items()}
    if masked := statistics.get("masked"):
        told["contacts masked"] = masked
    return [f"{what}: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()) for what, counts in told.items()]


def corpus_csv(statistics: Mapping[str, Any]) -> str:
    """A line a language, bucket and dump."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("language", "bucket", "crawl", *AMOUNTS))
    for language, row in statistics["languages"].items():
        for crawl, buckets in sorted(row["crawls"].items()):
            for bucket, amounts in sorted(buckets.items()):
                writer.writerow((language, bucket, crawl, *(amounts[name] for name in AMOUNTS)))
    return out.getvalue()
