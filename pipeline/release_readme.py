"""A release's README.md, the dataset card as Hugging Face reads it, and its croissant.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ccnet.document import Bucket
from pipeline.corpus_views import size
from pipeline.croissant import LISTS, NUMBER, TEXT, columns, croissant
from pipeline.release_card import Card
from pipeline.statistics import ordered_steps, totals

README, CROISSANT = "README.md", "croissant.json"
TERMS = "https://commoncrawl.org/terms-of-use"
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B",
         "10B<n<100B", "100B<n<1T")  # fmt: skip  # Hugging Face's categories
TYPES = {TEXT: "string", NUMBER: "float"}


def write_card(card: Card, folder: Path, licence: str = "", url: str = "") -> tuple[Path, Path]:
    """Write both files; the same release gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / README, folder / CROISSANT
    paths[0].write_text(readme(card, licence), encoding="utf-8")
    described = croissant(card, _description(card), _licence_url(licence), url)
    paths[1].write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return paths


def readme(card: Card, licence: str = "") -> str:
    """`licence`: SPDX identifier of what the publisher added, "" where none is stated."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=False,  # Markdown: the filter `cell` escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "yaml": json.dumps, "amount": "{:,}".format, "size": size}
    first = min(card.languages)
    return environment.get_template("release_card.md").render(
        card=card,
        licence=licence,
        terms=TERMS,
        description=_description(card),
        tags={code: language_tag(code) for code in sorted(card.languages)},
        size_category=SIZES[min(max(len(str(card.totals["documents"])) - 3, 0), len(SIZES) - 1)],
        languages=_language_rows(card),
        has_benchmarks=any("benchmarks" in row for row in card.languages.values()),
        benchmarks=_benchmark_rows(card),
        steps=_step_rows(card),
        columns=[(name, _type(name, type_), meaning) for name, (type_, meaning) in columns(card).items()],
        settings=[(stage, _settings(row)) for stage, row in card.settings.items()],
        is_lid_176=card.identifier is not None and card.identifier.name.startswith("lid.176"),
        first=first,
        glob="lang=*/*/*.parquet" if card.hive else "lang=*/*.parquet",
        below="*/*.parquet" if card.hive else "*.parquet",
    )


def language_tag(code: str) -> str:
    """BCP 47: bn-Latn of bn_rom, my-x-zawgyi of my_zaw, as the public CC-100 names them."""
    return code.replace("_rom", "-Latn").replace("_zaw", "-x-zawgyi")


def _description(card: Card) -> str:
    sums = card.totals
    return (
        f"Text of web pages in {len(card.languages)} languages: {sums['documents']:,} documents, "
        f"{size(sums['bytes'])} of UTF-8, made from {len(card.crawls) or 'several'} crawl dumps by CCNet's method."
    )


def _licence_url(licence: str) -> str:
    return f"https://spdx.org/licenses/{licence}.html" if licence else TERMS


def _language_rows(card: Card) -> list[tuple[str, ...]]:
    """code, name, documents, paragraphs, characters, size, share of each bucket; the largest first."""
    rows: list[tuple[str, ...]] = []
    for code, row in sorted(card.languages.items(), key=lambda item: (-totals(item[1])["bytes"], item[0])):
        sums = totals(row)
        shares = [row["buckets"].get(bucket, {}).get("documents", 0) / max(sums["documents"], 1) for bucket in Bucket]
        rows.append((code, row["name"], f"{sums['documents']:,}", f"{sums['paragraphs']:,}", f"{sums['characters']:,}",
                     size(sums["bytes"]), " / ".join(f"{100 * share:.0f}" for share in shares)))  # fmt: skip
    return rows


def _benchmark_rows(card: Card) -> list[tuple[str, str, str]]:
    return [
        (code, name, f"{documents:,}")
        for code, row in sorted(card.languages.items())
        for name, documents in row.get("benchmarks", {}).items()
    ]


def _step_rows(card: Card) -> list[tuple[str, str, str, str, str]]:
    """dump, stage, documents in, kept, what was dropped; then the release's own stage over all dumps."""
    rows = [
        (crawl, stage, f"{row['documents_in']:,}", f"{row['documents_kept']:,}", _reasons(row["dropped"]))
        for crawl, steps in card.crawls.items()
        for stage, row in ordered_steps(steps).items()
    ]
    kept, gone = card.totals["documents"], card.dropped.get("regroup", {})
    if card.crawls:
        rows.append(("all", "regroup", f"{kept + sum(gone.values()):,}", f"{kept:,}", _reasons(gone)))
        return rows
    return [("", stage, "", "", _reasons(reasons)) for stage, reasons in card.dropped.items()]


def _reasons(dropped: Any) -> str:
    return ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in dropped.items()) or "nothing"


def _settings(row: Any) -> str:
    return ", ".join(
        f"`{name}` {' or '.join(json.dumps(value, ensure_ascii=False) for value in values)}"
        for name, values in row.items()
    )


def _type(name: str, type_: str) -> str:
    plain = TYPES.get(type_, "int")
    return f"list of {plain}" if name in LISTS else plain


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", r"\|").replace("<", "&lt;").replace("`", "'")
