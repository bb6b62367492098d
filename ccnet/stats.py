"""Additive statistics of a language's scored documents: amounts, histograms, domains, sample documents.

They are counted where documents are scored, slice by slice, and merged into those of a dump or a release.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ccnet.document import AMOUNTS
from ccnet.minify import open_part
from ccnet.release import bucket_of, language_of, release_parts
from ccnet.shards import BATCH_DOCUMENTS
from ccnet.url import split_url

KEPT_DOMAINS = 100  # of the most frequent, written and merged
MAX_DOMAINS = 200_000  # counted at a time, about 20 MB; beyond, all but the most frequent tenth begin anew
MAX_MERGED_DOMAINS = 5_000  # the same where statistics are merged, all languages at a time
SAMPLE_DOCUMENTS = 5  # of a bucket
SAMPLE_CHARACTERS = 1000
READ = ("url", "text", "length", "nlines", "crawl", "perplexity", "language_score")
HISTOGRAMS = ("perplexity", "length", "language_score")

Statistics = dict[str, Any]
Sample = dict[str, Any]


class LanguageStatistics:
    """Statistics of one language, in bounded memory: feed it batches, or other statistics to merge."""

    def __init__(self) -> None:
        self._crawls: dict[str, dict[str, Counter[str]]] = {}
        self._histograms: dict[str, Counter[str]] = {name: Counter() for name in HISTOGRAMS}
        self._domains: Counter[str] = Counter()
        self._samples: dict[str, SampleDocuments] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of one language that has the columns READ and `bucket`."""
        if not batch.num_rows:
            return
        self._add_amounts(batch)
        for name in ("perplexity", "length"):
            self._histograms[name].update(_powers_of_two(batch.column(name)))
        self._histograms["language_score"].update(_tenths(batch.column("language_score")))
        urls = batch.column("url").to_pylist()
        self._add_domains(Counter([split_url(url).netloc for url in urls]), MAX_DOMAINS)
        self._add_samples(batch, urls)

    def take(self, found: Mapping[str, Any]) -> None:
        """Add what `to_json` of another one gave."""
        for crawl, buckets in found["crawls"].items():
            for bucket, amounts in buckets.items():
                self._amounts(crawl, bucket).update(amounts)
        for name in HISTOGRAMS:
            self._histograms[name].update(found[name])
        self._add_domains(found["domains"], MAX_MERGED_DOMAINS)
        for bucket, samples in found.get("samples", {}).items():
            for sample in samples:
                self._samples.setdefault(bucket, SampleDocuments()).offer(_rank(sample["url"]), sample)

    def to_json(self) -> Statistics:
        """As `language_statistics` tells."""
        crawls = {
            crawl: {b: _amounts(n) for b, n in sorted(row.items())} for crawl, row in sorted(self._crawls.items())
        }
        buckets: dict[str, Counter[str]] = {}
        for row in crawls.values():
            for bucket, amounts in row.items():
                buckets.setdefault(bucket, Counter()).update(amounts)
        return {
            "crawls": crawls,
            "buckets": {bucket: _amounts(amounts) for bucket, amounts in sorted(buckets.items())},
            **{name: dict(sorted(bins.items(), key=_lower_bound)) for name, bins in self._histograms.items()},
            "domains": _most_frequent(self._domains, KEPT_DOMAINS),
            "samples": {bucket: found.documents() for bucket, found in sorted(self._samples.items())},
        }

    def _amounts(self, crawl: str, bucket: str) -> Counter[str]:
        return self._crawls.setdefault(crawl, {}).setdefault(bucket, Counter())

    def _add_amounts(self, batch: pa.RecordBatch) -> None:
        columns = {name: batch.column(name) for name in ("crawl", "bucket", "nlines", "length")}
        table = pa.table({**columns, "bytes": pc.binary_length(batch.column("text"))})
        sums = table.group_by(["crawl", "bucket"], use_threads=False).aggregate(
            [([], "count_all"), ("nlines", "sum"), ("length", "sum"), ("bytes", "sum")]
        )
        for row in sums.to_pylist():
            named = zip(AMOUNTS, ("count_all", "nlines_sum", "length_sum", "bytes_sum"), strict=True)
            self._amounts(row["crawl"], row["bucket"]).update({name: row[column] for name, column in named})

    def _add_domains(self, domains: Mapping[str, int], most: int) -> None:
        self._domains.update(domains)
        if len(self._domains) > most:
            self._domains = Counter(_most_frequent(self._domains, most // 10))

    def _add_samples(self, batch: pa.RecordBatch, urls: list[str]) -> None:
        ranks = np.array([_rank(url) for url in urls], np.uint64)
        buckets = batch.column("bucket").to_numpy(zero_copy_only=False)
        for bucket in np.unique(buckets).tolist():
            kept = self._samples.setdefault(bucket, SampleDocuments())
            rows = np.flatnonzero((buckets == bucket) & (ranks <= kept.limit))
            for row in rows[np.argsort(ranks[rows], kind="stable")].tolist():
                if ranks[row] > kept.limit:
                    break
                kept.offer(int(ranks[row]), _sample(batch, row))


class SampleDocuments:
    """At most SAMPLE_DOCUMENTS documents, those whose URLs have the lowest hashes; of a URL's several, one.

    The choice does not depend on the order of the documents nor on how they were cut into parts.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Sample] = {}
        self.limit = (1 << 64) - 1  # a higher rank is not taken

    def offer(self, rank: int, sample: Sample) -> None:
        known = self._kept.get(rank)
        if rank > self.limit or (known and _order(known) <= _order(sample)):
            return
        self._kept[rank] = sample
        if len(self._kept) > SAMPLE_DOCUMENTS:
            del self._kept[max(self._kept)]
        if len(self._kept) == SAMPLE_DOCUMENTS:
            self.limit = max(self._kept)

    def documents(self) -> list[Sample]:
        return [self._kept[rank] for rank in sorted(self._kept)]


def language_statistics(parts: Iterable[Path]) -> Statistics:
    """What the Parquet files of one language hold.

    `buckets`: bucket -> AMOUNTS, `crawls`: dump -> bucket -> AMOUNTS; bytes are of UTF-8 text, newlines included.
    Counts of documents: `perplexity` and `length` (characters) by power of two, the key being the lower bound,
    `language_score` by tenth, `domains`: the KEPT_DOMAINS most frequent.  `samples`: bucket -> url, crawl, perplexity,
    language_score, length and the first SAMPLE_CHARACTERS of the text of a few documents.

    Everything adds up exactly but the domains: what is rare in each part is not merged, so the count of a domain in
    merged statistics is a lower bound.
    """
    found = LanguageStatistics()
    for part in parts:
        with open_part(part) as file:
            has_bucket = "bucket" in file.schema_arrow.names
            for batch in file.iter_batches(BATCH_DOCUMENTS, columns=[*READ, "bucket"] if has_bucket else list(READ)):
                found.add(batch if has_bucket else _with_bucket(batch, bucket_of(part)))
    return found.to_json()


def merge(statistics: Iterable[Mapping[str, Any]]) -> Statistics:
    """The statistics of one language in all of the parts."""
    merged = LanguageStatistics()
    for found in statistics:
        merged.take(found)
    return merged.to_json()


def merge_languages(statistics: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Statistics]:
    """code -> statistics, of several of these (a dump's slices); one after another, so that few are in memory."""
    merged: dict[str, LanguageStatistics] = {}
    for languages in statistics:
        for code, found in languages.items():
            merged.setdefault(code, LanguageStatistics()).take(found)
    return {code: found.to_json() for code, found in sorted(merged.items())}


def corpus_statistics(folder: Path) -> dict[str, Statistics]:
    """code -> `language_statistics` of a release's folder.  Raises CorpusError where it holds no part."""
    by_language: dict[str, list[Path]] = {}
    for part in release_parts(folder):
        by_language.setdefault(language_of(part), []).append(part)
    return {language: language_statistics(parts) for language, parts in sorted(by_language.items())}


def _with_bucket(batch: pa.RecordBatch, bucket: str) -> pa.RecordBatch:
    column = pa.array([bucket] * batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays([*batch.columns, column], names=[*batch.schema.names, "bucket"])


def _powers_of_two(column: pa.Array) -> dict[str, int]:
    values = np.maximum(column.drop_null().to_numpy(zero_copy_only=False), 1)
    powers, times = np.unique(np.frexp(values)[1] - 1, return_counts=True)
    return {str(1 << power): count for power, count in zip(powers.tolist(), times.tolist(), strict=True)}


def _tenths(column: pa.Array) -> dict[str, int]:
    tenths = np.floor(column.drop_null().to_numpy(zero_copy_only=False) * 10)
    found, times = np.unique(tenths, return_counts=True)
    return {f"{tenth / 10:.1f}": count for tenth, count in zip(found.tolist(), times.tolist(), strict=True)}


def _lower_bound(bin_: tuple[str, int]) -> float:
    return float(bin_[0])


def _amounts(counted: Mapping[str, int]) -> dict[str, int]:
    return {name: counted[name] for name in AMOUNTS}


def _most_frequent(domains: Mapping[str, int], most: int) -> dict[str, int]:
    return dict(sorted(domains.items(), key=lambda item: (-item[1], item[0]))[:most])


def _rank(url: str) -> int:
    return int.from_bytes(hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _order(sample: Sample) -> tuple[str, int, str]:
    return sample["crawl"], sample["length"], sample["text"]


def _sample(batch: pa.RecordBatch, row: int) -> Sample:
    names = ("url", "crawl", "perplexity", "language_score", "length")
    text = batch.column("text")[row].as_py()[:SAMPLE_CHARACTERS]
    return {**{name: batch.column(name)[row].as_py() for name in names}, "text": text}
