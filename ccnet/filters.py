"""Filters beyond CCNet's, each off unless a file asks for it: what is dropped, and under which reason.

A folder states them: `blocked-urls.txt` (a host or an address a line, see `ccnet/block_list.py`), `boilerplate.txt` (a
regular expression a line; a paragraph that matches goes), `thresholds.tsv` (language or *, column, least, most; the
columns are those of SIGNALS, language_score, perplexity, length and nlines).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ccnet.block_list import BlockList
from ccnet.document import CorpusError
from ccnet.shards import COMPRESSION, SCORED, open_writer, read_batches
from ccnet.signals import SIGNALS, add_signals

FILTERED = pa.schema([*SCORED, *SIGNALS])
EXCLUDED = pa.schema([*FILTERED, ("reason", pa.string())])
BLOCKED, BOILERPLATE, THRESHOLDS = "blocked-urls.txt", "boilerplate.txt", "thresholds.tsv"
COLUMNS = (*SIGNALS.names, "language_score", "perplexity", "length", "nlines")
EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}\b")
BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
IPV4 = re.compile(rf"(?<![\w.])(?:{BYTE}\.){{3}}{BYTE}(?![\w.]*\d)")
IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])")
MASKS = ((EMAIL, "<EMAIL>"), (IPV4, "<IP>"), (IPV6, "<IP>"))

Limits = dict[str, dict[str, tuple[float, float]]]  # language or * -> column -> least, most


@dataclass(frozen=True, slots=True)
class Filters:
    """What to drop and to mask; empty: nothing."""

    blocked: BlockList = field(default_factory=BlockList)
    boilerplate: tuple[re.Pattern[str], ...] = ()
    limits: Limits = field(default_factory=dict)
    mask: bool = False

    def reason(self, row: dict[str, Any]) -> str:
        """Why the document goes: blocked_url, or the column that is out of bounds; "" where it stays."""
        if self.blocked and self.blocked.blocks(str(row["url"])):
            return "blocked_url"
        limits = self.limits.get("*", {}) | self.limits.get(str(row["language"]), {})
        for column, (least, most) in limits.items():
            if row[column] is not None and not least <= row[column] <= most:
                return column
        return ""


def read_filters(folder: Path, *, mask: bool = False) -> Filters:
    """The filters that a folder states.  Raises CorpusError naming file and line."""
    if not mask and not any((folder / name).is_file() for name in (BLOCKED, BOILERPLATE, THRESHOLDS)):
        raise CorpusError(f"{folder.name}: holds none of {BLOCKED}, {BOILERPLATE}, {THRESHOLDS}: wanted one of them")
    blocked = BlockList()
    for number, line in _lines(folder / BLOCKED):
        try:
            blocked.add(line)
        except ValueError as error:
            raise CorpusError(
                f"{BLOCKED} line {number}: {line!r}: {error}: wanted a host, host:port, host/path or an address"
            ) from error
    patterns: list[re.Pattern[str]] = []
    limits: Limits = {}
    for number, line in _lines(folder / BOILERPLATE):
        try:
            patterns.append(re.compile(line))
        except re.error as error:
            raise CorpusError(f"{BOILERPLATE} line {number}: {line!r}: {error}: wanted a regular expression") from error
    for number, line in _lines(folder / THRESHOLDS):
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
    return Filters(blocked, tuple(patterns), limits, mask)


def filter_shard(
    documents: Path,
    filters: Filters,
    output: Path,
    excluded: Path | None = None,
    on_batch: Callable[[pa.RecordBatch], None] = lambda batch: None,
) -> Counter[str]:
    """Write what stays with its signals, and, where asked, what goes with its reason.  `on_batch` sees what stays.

    Paragraphs go first, then signals are taken, then documents go, then emails and IP addresses are masked.
    """
    counts: Counter[str] = Counter()
    with open_writer(output, FILTERED) as writer:
        aside = pq.ParquetWriter(excluded, EXCLUDED, **COMPRESSION) if excluded else None
        try:
            for batch in read_batches(documents):
                kept, gone = _filter_batch(batch, filters, counts)
                writer.write_batch(kept)
                on_batch(kept)
                if aside is not None and gone.num_rows:
                    aside.write_batch(gone)
        finally:
            if aside is not None:
                aside.close()
    return counts


def _filter_batch(
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
            kept.append(_masked(row, counts) if filters.mask else row)
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


def _masked(row: dict[str, Any], counts: Counter[str]) -> dict[str, Any]:
    text = mask_contacts(row["text"], counts)
    return row | {"text": text, "length": len(text)}


def mask_contacts(text: str, counts: Counter[str]) -> str:
    """The text with emails and IP addresses masked and counted."""
    for pattern, mark in MASKS:
        text, times = pattern.subn(mark, text)
        counts[f"masked_{mark.strip('<>').lower()}"] += times
    return text


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that say something; none where there is no such file.  Raises CorpusError naming the line that
    is no UTF-8."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, data in enumerate(file, 1):
            try:
                line = data.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
            except UnicodeDecodeError as error:
                found = ascii(data.rstrip().decode("latin-1"))
                raise CorpusError(f"{path.name} line {number}: {found}: {error.reason}: wanted UTF-8") from error
            if line.strip() and not line.startswith("#"):
                yield number, line
