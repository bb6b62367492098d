"""Filters beyond CCNet's, each off unless a file asks for it: what is dropped, and under which reason.

A folder states them: `blocked-urls.txt` (a host or an address a line, see `ccnet/block_list.py`), `boilerplate.txt` (a
regular expression a line; a paragraph that matches goes), `thresholds.tsv` (language or *, column, least, most; the
columns are those of SIGNALS, language_score, perplexity, length and nlines).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.block_list import BlockList, numbered_lines, read_block_list
from ccnet.contacts import ContactKind, mask_contacts
from ccnet.document import CorpusError
from ccnet.robots import RobotsRules
from ccnet.shards import COMPRESSION, SCORED, open_writer, read_batches
from ccnet.signals import SIGNALS, add_signals

FILTERED = pa.schema([*SCORED, *SIGNALS])
EXCLUDED = pa.schema([*FILTERED, ("reason", pa.string())])
BLOCKED, BOILERPLATE, THRESHOLDS = "blocked-urls.txt", "boilerplate.txt", "thresholds.tsv"
COLUMNS = (*SIGNALS.names, "language_score", "perplexity", "length", "nlines")

Limits = dict[str, dict[str, tuple[float, float]]]  # language or * -> column -> least, most


@dataclass(frozen=True, slots=True)
class Filters:
    """What to drop and to mask; empty: nothing."""

    blocked: BlockList = field(default_factory=BlockList)
    boilerplate: tuple[re.Pattern[str], ...] = ()
    limits: Limits = field(default_factory=dict)
    mask: tuple[ContactKind, ...] = ()
    robots: RobotsRules | None = None

    @property
    def read_text(self) -> bool:
        """Whether more is asked than robots.txt, which needs no text; then signals are measured."""
        return self.robots is None or bool(self.blocked or self.boilerplate or self.limits or self.mask)

    def reason(self, row: dict[str, Any]) -> str:
        """Why the document goes: blocked_url, or the column that is out of bounds; "" where it stays."""
        if self.blocked and self.blocked.blocks(str(row["url"])):
            return "blocked_url"
        limits = self.limits.get("*", {}) | self.limits.get(str(row["language"]), {})
        for column, (least, most) in limits.items():
            if row[column] is not None and not least <= row[column] <= most:
                return column
        return ""


def read_filters(folder: Path) -> Filters:
    """The filters that a folder states.  Raises CorpusError naming file and line."""
    if not any((folder / name).is_file() for name in (BLOCKED, BOILERPLATE, THRESHOLDS)):
        raise CorpusError(f"{folder.name}: holds none of {BLOCKED}, {BOILERPLATE}, {THRESHOLDS}: wanted one of them")
    blocked = read_block_list(folder / BLOCKED)
    patterns: list[re.Pattern[str]] = []
    limits: Limits = {}
    for number, line in numbered_lines(folder / BOILERPLATE):
        try:
            patterns.append(re.compile(line))
        except re.error as error:
            raise CorpusError(f"{BOILERPLATE} line {number}: {line!r}: {error}: wanted a regular expression") from error
    for number, line in numbered_lines(folder / THRESHOLDS):
        try:
            language, column, least, most = line.split("\t")
            bounds = float(least or "-inf"), float(most or "inf")
            if column not in COLUMNS:
                raise ValueError(f"no column {column!r}")
        except ValueError as error:
            columns = ", ".join(COLUMNS)
            raise CorpusError(
                f"{THRESHOLDS} line {number}: {line!r}: {error}: wanted language or *, column, least, most, parted by "
                f"tabs; columns: {columns}"
            ) from error
        limits.setdefault(language, {})[column] = bounds
    return Filters(blocked, tuple(patterns), limits)


def filter_shard(
    documents: Path,
    filters: Filters,
    output: Path,
    excluded: Path | None = None,
    on_batch: Callable[[pa.RecordBatch], None] = lambda batch: None,
) -> Counter[str]:
    """Write what stays, and, where asked, what goes with its reason.  `on_batch` sees what stays.

    Pages that robots.txt disallows go first, then paragraphs, then signals are taken and become columns, then documents
    go, then contacts are masked.  Where robots.txt alone is asked, what stays is as it was.
    """
    counts: Counter[str] = Counter()
    with open_writer(output, FILTERED if filters.read_text else SCORED) as writer:
        aside = pq.ParquetWriter(excluded, EXCLUDED, **COMPRESSION) if excluded else None
        try:
            for batch in read_batches(documents):
                kept, gone = _filter_batch(batch, filters, counts, with_gone=aside is not None)
                writer.write_batch(kept)
                on_batch(kept)
                if aside is not None and gone.num_rows:
                    aside.write_batch(gone)
        finally:
            if aside is not None:
                aside.close()
    return counts


def _filter_batch(
    batch: pa.RecordBatch, filters: Filters, counts: Counter[str], *, with_gone: bool
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """What stays, and what goes where that is wanted."""
    if filters.robots is None:
        return _filter_rows(batch, filters, counts)
    allowed = pa.array([filters.robots.allows(url) for url in batch.column("url").to_pylist()], pa.bool_())
    disallowed, batch = batch.filter(pc.invert(allowed)), batch.filter(allowed)
    counts.update(documents_in=disallowed.num_rows, dropped_robots_txt=disallowed.num_rows)
    gone = _with_reason(disallowed.slice(0, disallowed.num_rows if with_gone else 0), "robots_txt")
    if not filters.read_text:
        counts.update(documents_in=batch.num_rows, documents_kept=batch.num_rows)
        return batch, gone
    kept, filtered = _filter_rows(batch, filters, counts)
    return kept, pa.concat_batches([gone, filtered])


def _with_reason(batch: pa.RecordBatch, reason: str) -> pa.RecordBatch:
    rows = add_signals(batch).to_pylist() if batch.num_rows else []
    return pa.RecordBatch.from_pylist([row | {"reason": reason} for row in rows], schema=EXCLUDED)


def _filter_rows(
    batch: pa.RecordBatch, filters: Filters, counts: Counter[str]
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    rows = [_without_boilerplate(row, filters.boilerplate, counts) for row in batch.to_pylist()]
    measured = add_signals(pa.RecordBatch.from_pylist(rows, schema=SCORED)).to_pylist()
    kept, gone = [], []
    for row in measured:
        reason = filters.reason(row) if row["nlines"] else "only_boilerplate"
        counts["documents_in"] += 1
        counts[f"dropped_{reason}" if reason else "documents_kept"] += 1
        if reason:
            gone.append(row | {"reason": reason})
        else:
            kept.append(_masked(row, filters.mask, counts) if filters.mask else row)
    return pa.RecordBatch.from_pylist(kept, schema=FILTERED), pa.RecordBatch.from_pylist(gone, schema=EXCLUDED)


def _without_boilerplate(
    row: dict[str, Any], patterns: Sequence[re.Pattern[str]], counts: Counter[str]
) -> dict[str, Any]:
    if not patterns:
        return row
    pairs = list(zip(row["line_ids"], row["text"].split("\n"), strict=True))
    stay = [(line, text) for line, text in pairs if not any(pattern.search(text) for pattern in patterns)]
    counts["paragraphs_removed"] += len(pairs) - len(stay)
    text = "\n".join(text for _, text in stay)
    return row | {"text": text, "line_ids": [line for line, _ in stay], "length": len(text), "nlines": len(stay)}


def _masked(row: dict[str, Any], kinds: Sequence[ContactKind], counts: Counter[str]) -> dict[str, Any]:
    text = mask_contacts(row["text"], counts, kinds, row["language"])
    return row | {"text": text, "length": len(text)}
