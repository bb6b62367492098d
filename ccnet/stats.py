"""Additive statistics of a release: by language, bucket and dump, with histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccnet.document import AMOUNTS
from ccnet.release import bucket_of, language_of, release_parts
from ccnet.shards import BATCH_DOCUMENTS
from ccnet.url import split_url

TOP_DOMAINS = 10
MAX_DOMAINS = 1_000_000  # counted at a time; beyond, all but the most frequent tenth begin anew
READ = ["url", "text", "length", "nlines", "crawl", "perplexity", "language_score"]

Statistics = dict[str, Any]


def corpus_statistics(folder: Path) -> dict[str, Statistics]:
    """code -> `language_statistics` of a release's folder.  Raises CorpusError where it holds no part."""
    by_language: dict[str, list[Path]] = {}
    for part in release_parts(folder):
        by_language.setdefault(language_of(part), []).append(part)
    return {language: language_statistics(parts) for language, parts in sorted(by_language.items())}


def language_statistics(parts: Iterable[Path]) -> Statistics:
    """What the parts of one language hold.

    `buckets`: bucket -> AMOUNTS, `crawls`: dump -> bucket -> AMOUNTS; bytes are of UTF-8 text, newlines included.
    Counts of documents: `perplexity` and `length` (characters) by power of two, the key being the lower bound,
    `language_score` by tenth, `domains` of the most frequent (nearly, where there are more than a million).  All of
    them but the domains add up over releases.
    """
    found: Statistics = {"crawls": {}, "perplexity": Counter(), "language_score": Counter(), "length": Counter()}
    domains: Counter[str] = Counter()
    for part in parts:
        bucket = bucket_of(part)
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(BATCH_DOCUMENTS, columns=READ):
                _add(found, bucket, batch)
                if len(domains) > MAX_DOMAINS:
                    domains = Counter(dict(domains.most_common(MAX_DOMAINS // 10)))
                domains.update(split_url(url).netloc for url in batch.column("url").to_pylist())
    found["buckets"] = _summed(found["crawls"].values())
    found["domains"] = dict(domains.most_common(TOP_DOMAINS))
    return found


def _add(found: Statistics, bucket: str, batch: pa.RecordBatch) -> None:
    table = pa.Table.from_batches([batch]).append_column("bytes", pc.binary_length(batch.column("text")))
    sums = table.group_by("crawl").aggregate(
        [("nlines", "sum"), ("length", "sum"), ("bytes", "sum"), ([], "count_all")]
    )
    for row in sums.to_pylist():
        amounts = found["crawls"].setdefault(row["crawl"], {}).setdefault(bucket, dict.fromkeys(AMOUNTS, 0))
        for name, column in zip(AMOUNTS, ("count_all", "nlines_sum", "length_sum", "bytes_sum"), strict=True):
            amounts[name] += row[column]
    for name in ("perplexity", "length"):
        found[name].update(_powers_of_two(batch.column(name)))
    scores = pc.floor(pc.multiply(batch.column("language_score"), 10)).to_pylist()
    found["language_score"].update(f"{score / 10:.1f}" for score in scores)


def _powers_of_two(column: pa.Array) -> dict[str, int]:
    values = np.maximum(column.drop_null().to_numpy(zero_copy_only=False), 1)
    powers, times = np.unique(np.frexp(values)[1] - 1, return_counts=True)
    return {str(1 << power): count for power, count in zip(powers.tolist(), times.tolist(), strict=True)}


def _summed(crawls: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for buckets in crawls:
        for bucket, amounts in buckets.items():
            before = sums.get(bucket, dict.fromkeys(AMOUNTS, 0))
            sums[bucket] = {name: before[name] + amounts[name] for name in AMOUNTS}
    return sums
