"""Remove paragraphs that other documents have: all copies (CCNet section 3.2, as its code does), or all but one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ccnet.hashing import Hashes, first_in_document, hash_lines
from ccnet.shards import EXTRACTED, open_writer, read_batches

UNCHANGED = [name for name in EXTRACTED.names if name not in ("text", "line_ids", "length", "nlines")]


def deduplicate_shard(documents: Path, duplicates: Hashes, output: Path, *, once: Hashes | None = None) -> Counter[str]:
    """Write the documents without the lines of `duplicates` (sorted); one left without a line is dropped.

    Order is kept.  Inside a document the first of equal lines stays; of the lines `once` (sorted), the first of the
    shard.
    """
    counts: Counter[str] = Counter()
    had = np.zeros(0 if once is None else len(once), bool)
    with open_writer(output, EXTRACTED) as writer:
        for batch in read_batches(documents):
            hashes = hash_lines(batch.column("text").to_pylist())
            drop = None if once is None else _seen(hashes, once, had)
            kept = deduplicate_batch(batch, hashes, duplicates, counts, drop)
            if kept.num_rows:
                writer.write_batch(kept)
    return counts


def deduplicate_batch(
    batch: pa.RecordBatch,
    hashes: Hashes,
    duplicates: Hashes,
    counts: Counter[str],
    drop: NDArray[np.bool_] | None = None,
) -> pa.RecordBatch:
    """The batch without duplicate lines; `hashes` are those of all its lines, `drop` marks lines that go as well."""
    lines = batch.column("nlines").to_numpy()
    stays = first_in_document(hashes, lines) & ~_among(hashes, duplicates)
    if drop is not None:
        stays &= ~drop
    ends = np.cumsum([0, *lines])
    kept_before = np.concatenate([[0], np.cumsum(stays)])
    kept = np.diff(kept_before[ends])  # lines of each document
    rows = np.flatnonzero(kept)
    ids = (np.arange(len(hashes)) - np.repeat(ends[:-1], lines))[stays]
    texts = _texts(batch.column("text"), rows, np.split(ids, kept_before[ends[1:-1]]), kept == lines)
    lengths = [len(text) for text in texts]
    counts["paragraphs_in"] += len(hashes)
    counts["paragraphs_kept"] += len(ids)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += len(rows)
    counts["dropped_only_duplicate_paragraphs"] += batch.num_rows - len(rows)
    counts["characters_kept"] += sum(lengths)
    columns = {name: batch.column(name).take(pa.array(rows, pa.int64())) for name in UNCHANGED}
    offsets = np.concatenate([[0], np.cumsum(kept[rows])])
    columns["line_ids"] = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(ids, pa.int32()))
    columns |= {"text": texts, "length": lengths, "nlines": kept[rows]}
    return pa.RecordBatch.from_pydict(columns, schema=EXTRACTED)


def _texts(
    column: pa.Array, rows: NDArray[np.int64], ids: Sequence[NDArray[np.int64]], whole: NDArray[np.bool_]
) -> list[str]:
    """The texts of the rows, of which those that are not whole keep the lines `ids` alone."""
    texts: list[str] = column.take(pa.array(rows, pa.int64())).to_pylist()
    for at in np.flatnonzero(~whole[rows]).tolist():
        lines = texts[at].split("\n")
        texts[at] = "\n".join([lines[line] for line in ids[rows[at]].tolist()])
    return texts


def _among(hashes: Hashes, duplicates: Hashes) -> NDArray[np.bool_]:
    if not len(duplicates):
        return np.zeros(len(hashes), bool)
    at = np.searchsorted(duplicates, hashes)
    at[at == len(duplicates)] = 0
    found: NDArray[np.bool_] = duplicates[at] == hashes
    return found


def _seen(hashes: Hashes, once: Hashes, had: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a hash of `once` comes for the second time or later; `had` remembers those of earlier batches."""
    lines = np.flatnonzero(_among(hashes, once))
    at = np.searchsorted(once, hashes[lines])
    again = had[at]
    first = np.zeros(len(at), bool)
    first[np.unique(at, return_index=True)[1]] = True
    had[at] = True
    found = np.zeros(len(hashes), bool)
    found[lines] = again | ~first
    return found
