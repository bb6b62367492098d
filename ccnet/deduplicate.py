"""Remove paragraphs that two or more documents of a group have, all copies (CCNet section 3.2 as its code does it)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ccnet.hashing import Hashes, hash_text
from ccnet.shards import EXTRACTED, open_writer, read_batches


def load_duplicates(paths: Sequence[Path]) -> Hashes:
    """Sorted hashes that occur in two or more documents of the group, from the shards' hash files."""
    entries = np.concatenate([np.load(path) for path in paths])
    hashes, times = np.unique(entries["hash"], return_counts=True)
    inside = np.unique(entries["hash"][entries["repeated"] == 1])
    return np.union1d(hashes[times > 1], inside)


def deduplicate_shard(documents: Path, duplicates: Hashes, output: Path) -> Counter[str]:
    """Write the documents without duplicate lines; one left without a line is dropped.  Order is kept.

    Inside a document the first of equal lines stays.
    """
    counts: Counter[str] = Counter()
    with open_writer(output, EXTRACTED) as writer:
        for batch in read_batches(documents):
            kept = _deduplicate_batch(batch, duplicates, counts)
            if kept.num_rows:
                writer.write_batch(kept)
    return counts


def _deduplicate_batch(batch: pa.RecordBatch, duplicates: Hashes, counts: Counter[str]) -> pa.RecordBatch:
    rows, texts, line_ids = [], [], []
    for row, text in enumerate(batch.column("text").to_pylist()):
        lines = text.split("\n")
        ids = _kept_lines(hash_text(text), duplicates)
        counts["paragraphs_in"] += len(lines)
        counts["paragraphs_kept"] += len(ids)
        if len(ids):
            rows.append(row)
            texts.append("\n".join([lines[i] for i in ids]))
            line_ids.append(ids)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += len(rows)
    counts["dropped_only_duplicate_paragraphs"] += batch.num_rows - len(rows)
    counts["characters_kept"] += sum(map(len, texts))
    columns = batch.take(pa.array(rows, pa.int64())).to_pydict() if rows else {n: [] for n in EXTRACTED.names}
    columns |= {"text": texts, "line_ids": line_ids}
    columns |= {"length": [len(text) for text in texts], "nlines": [len(ids) for ids in line_ids]}
    return pa.RecordBatch.from_pydict(columns, schema=EXTRACTED)


def _kept_lines(hashes: Hashes, duplicates: Hashes) -> list[int]:
    """Indices of the lines that stay, in order."""
    at = np.searchsorted(duplicates, hashes)
    at[at == len(duplicates)] = 0
    is_duplicate = duplicates[at] == hashes if len(duplicates) else np.zeros(len(hashes), bool)
    first = np.zeros(len(hashes), bool)
    first[np.unique(hashes, return_index=True)[1]] = True
    return np.flatnonzero(first & ~is_duplicate).tolist()
