"""What a dump of Common Crawl holds, for estimates.  Each number has its source; docs/operating.md repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ccnet.languages import LANGUAGES

GB = 1e9


@dataclass(frozen=True)
class DumpAmounts:
    """A dump of 100,000 files.  Sources: (1) Common Crawl's announcements of its dumps, (2) the CCNet paper,
    (3) measured by benchmarks/rates.py (pipeline/rates.json), (4) an assumption of ours."""

    files: int = 100_000  # (1) 90,000 to 100,000 since 2024
    pages: float = 2.6e9  # (1) 2.3 to 2.6 thousand million in 2025
    wet_gz_bytes: float = 7.5e12  # (1) 2019-09: 7.62 TiB of 2.9 thousand million pages, for 2.6
    # wet_gz_bytes at the gzip ratio of 2.4 that (3) has; (2) is said to have 24 TB of 2019-09: 21.5 here
    text_bytes: float = 18e12
    warc_gz_bytes: float = 83e12  # (1) August 2026
    robots_gz_bytes: float = 0.17e12  # (4) of `robotstxt` files, as many as WARC files
    kept_after_dedup: float = 0.30  # (2) repeated paragraphs are 70 % of the text
    kept_after_identify: float = 0.90  # (4) score of 0.5 or more, in one of the languages
    line_bytes: float = 100.0  # (4) (3) has 80
    distinct_lines: float = (
        0.5  # (4) lines of a slice of 100 GB and more that differ; (3) has more, its slices are small
    )
    lost_lines: float = 0.5  # (4) of those, the ones that another document of the dump has
    document_bytes: float = 3_500.0  # (4) a page after deduplication; (3) has 1,900 before it
    head: float = 0.30  # percentile 30 (settings head_percentile, tail_percentile): buckets are shares of documents
    middle: float = 0.30


@dataclass(frozen=True)
class OtherAmounts:
    """What is no dump's.  All are assumptions of ours where nothing else is said."""

    identifier_gib: float = 0.13  # lid.176.bin; GlotLID takes 1.6
    language_model_gib: float = 4.4  # the largest of CCNet's, English (not verified); all 48 together have about 100
    reference_bytes: float = 0.4e9  # CCNet: first paragraphs of a million articles, at 400 bytes
    # KenLM's part of scoring is a third; a model of gigabytes leaves the processor's cache at each look-up
    large_model_factor: float = 1.3
    download_bytes_per_s: float = 25e6  # of one task from data.commoncrawl.org: 200 Mbit/s


DUMP = DumpAmounts()
OTHER = OtherAmounts()
# CC-100 takes these from one of its twelve dumps and all others from twelve, so of one dump they are twelve times as
# large a share as Table 6 says.
FROM_ONE_DUMP = frozenset(
    ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "tr", "zh-Hans", "zh-Hant")
)  # fmt: skip
CC100_DUMPS = 12


def share_of(languages: Sequence[str]) -> float:
    """The languages' share of a dump's text after identification, by the sizes of the paper's Table 6."""
    return sum(map(gib_of_a_dump, languages)) / sum(map(gib_of_a_dump, LANGUAGES))


def gib_of_a_dump(language: str) -> float:
    """What one dump gave the paper's corpus of a language, GiB."""
    return (LANGUAGES[language].paper_gib or 0.0) / (1 if language in FROM_ONE_DUMP else CC100_DUMPS)


def identified_bytes(languages: Sequence[str]) -> float:
    """Text of one dump that identify keeps for the languages."""
    return DUMP.text_bytes * DUMP.kept_after_dedup * DUMP.kept_after_identify * share_of(languages)


def bucket_share(buckets: Sequence[str]) -> float:
    """Of a language that has a model; documents without one are few."""
    shares = {"head": DUMP.head, "middle": DUMP.middle, "tail": 1 - DUMP.head - DUMP.middle}
    return sum(shares.get(bucket, 0.0) for bucket in buckets)
