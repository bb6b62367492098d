"""Identification and scoring by paragraph, as a choice: rows of one paragraph each, and documents of them again.

The paper names languages and filters in CCNet's way, by document; by paragraph, a page in two languages gives a
document of each, and its badly written paragraphs part from the good ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from ccnet.shards import SCORED

Row = dict[str, object]
OWN = ("text", "line_ids", "length", "nlines")  # of a paragraph; the other columns are the page's


def split_paragraphs(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One row for each line of each document."""
    lines = [text.split("\n") for text in batch.column("text").to_pylist()]
    found = [line for document in lines for line in document]
    rows = pa.array(np.repeat(np.arange(batch.num_rows), [len(document) for document in lines]), pa.int64())
    own = {
        "text": found,
        "line_ids": [[line] for document in batch.column("line_ids").to_pylist() for line in document],
        "length": [len(line) for line in found],
        "nlines": [1] * len(found),
    }
    rest = {name: batch.column(name).take(rows) for name in batch.schema.names if name not in OWN}
    return pa.RecordBatch.from_pydict(rest | own, schema=batch.schema)


def join_paragraphs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Scored paragraphs as documents: those of one page with one language and bucket, in the page's order.

    Score and perplexity are the means of the paragraphs', weighted by their characters.
    """
    page: list[Row] = []
    for batch in batches:
        done: list[Row] = []
        for row in batch.to_pylist():
            if page and not _of_one_page(page[-1], row):
                done += _documents(page)
                page = []
            page.append(row)
        if done:
            yield pa.RecordBatch.from_pylist(done, schema=SCORED)
    if page:
        yield pa.RecordBatch.from_pylist(_documents(page), schema=SCORED)


def _of_one_page(before: Row, after: Row) -> bool:
    same = all(before[name] == after[name] for name in ("url", "date", "digest", "cc_segment"))
    return same and before["line_ids"] < after["line_ids"]  # type: ignore[operator]


def _documents(page: list[Row]) -> list[Row]:
    groups: dict[tuple[object, object], list[Row]] = {}
    for row in page:
        groups.setdefault((row["language"], row["bucket"]), []).append(row)
    return [_document(rows) for rows in groups.values()]


def _document(rows: list[Row]) -> Row:
    text = "\n".join(str(row["text"]) for row in rows)
    ids = [line for row in rows for line in row["line_ids"]]  # type: ignore[attr-defined]
    weights = [max(int(str(row["length"])), 1) for row in rows]
    means = {}
    for name, digits in (("language_score", 2), ("perplexity", 1)):
        values = [row[name] for row in rows]
        known = None not in values
        means[name] = round(float(np.average(np.array(values, float), weights=weights)), digits) if known else None
    return rows[0] | means | {"text": text, "line_ids": ids, "length": len(text), "nlines": len(rows)}
