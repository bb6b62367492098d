"""Additive statistics of a published corpus: by language and bucket, by crawl, and histograms."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.compute as pc

from ccnet.shards import read_batches

TOP_DOMAINS = 10
SCORE_DECIMALS = 1


def corpus_statistics(folder: Path) -> dict[str, Any]:
    """{"languages": {code: {"buckets", "crawls", "perplexity", "language_score", "domains"}}} of a Hive folder.

    bytes are of UTF-8 text, newlines included.  Histograms: perplexity by power of two (key: lower bound), score by
    tenth.
    """
    languages: dict[str, Any] = {}
    for part in sorted(folder.glob("lang=*/bucket=*/*.parquet")):
        language, bucket = (parent.name.split("=", 1)[1] for parent in (part.parent.parent, part.parent))
        row = languages.setdefault(language, _empty())
        for batch in read_batches(part, ["url", "text", "length", "nlines", "crawl", "perplexity", "language_score"]):
            _add(row, bucket, batch)
    for row in languages.values():
        row["domains"] = dict(Counter(row["domains"]).most_common(TOP_DOMAINS))
    return {"languages": languages}


def _empty() -> dict[str, Any]:
    return {
        "buckets": {},
        "crawls": Counter(),
        "perplexity": Counter(),
        "language_score": Counter(),
        "domains": Counter(),
    }


def _add(row: dict[str, Any], bucket: str, batch: Any) -> None:
    counts = row["buckets"].setdefault(bucket, Counter())
    counts["documents"] += batch.num_rows
    counts["paragraphs"] += pc.sum(batch.column("nlines")).as_py() or 0
    counts["characters"] += pc.sum(batch.column("length")).as_py() or 0
    counts["bytes"] += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
    row["crawls"].update(batch.column("crawl").to_pylist())
    row["domains"].update(urlsplit(url).netloc for url in batch.column("url").to_pylist())
    scores = batch.column("language_score").to_pylist()
    row["language_score"].update(f"{int(score * 10) / 10:.{SCORE_DECIMALS}f}" for score in scores)
    found = [value for value in batch.column("perplexity").to_pylist() if value is not None]
    row["perplexity"].update(str(1 << max(0, int(value).bit_length() - 1)) for value in found)
