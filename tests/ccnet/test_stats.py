"""Statistics of a small release, counted by hand, and the figure of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from ccnet.document import CorpusError
from ccnet.release import PartWriters
from ccnet.shards import SCORED
from ccnet.stats import LanguageStatistics, Statistics, corpus_statistics, merge, merge_languages

ROWS = [  # language, bucket, crawl, text, perplexity, score, URL
    ("en", "head", "CC-MAIN-2026-30", "one\ntwo", 300.0, 0.97, "http://a.example/1"),
    ("en", "tail", "CC-MAIN-2026-30", "three", 1024.0, 0.5, "http://a.example/2"),
    ("en", "head", "CC-MAIN-2026-34", "é", 511.9, 1.0, "http://b.example/"),
    ("sw", "all", "CC-MAIN-2026-34", "moja", None, 0.61, "http://[c.example/"),
]


@pytest.fixture(params=["lang={0}/bucket={1}/part-00000.parquet", "lang={0}/{1}-00000.parquet"])
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    names = ("language", "bucket", "crawl", "text", "perplexity", "language_score", "url")
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    for row in rows:
        row |= {"length": len(str(row["text"])), "nlines": str(row["text"]).count("\n") + 1}
    with PartWriters(lambda language, bucket: tmp_path / request.param.format(language, bucket)) as writers:
        writers.write(pa.RecordBatch.from_pylist(rows, schema=SCORED))
    return tmp_path


def test_amounts_are_counted_by_language_bucket_and_dump(release: Path) -> None:
    found = corpus_statistics(release)
    assert list(found) == ["en", "sw"]
    assert found["en"]["crawls"] == {
        "CC-MAIN-2026-30": {
            "head": {"documents": 1, "paragraphs": 2, "characters": 7, "bytes": 7},
            "tail": {"documents": 1, "paragraphs": 1, "characters": 5, "bytes": 5},
        },
        "CC-MAIN-2026-34": {"head": {"documents": 1, "paragraphs": 1, "characters": 1, "bytes": 2}},
    }
    assert found["en"]["buckets"]["head"] == {"documents": 2, "paragraphs": 3, "characters": 8, "bytes": 9}
    assert found["sw"]["buckets"] == {"all": {"documents": 1, "paragraphs": 1, "characters": 4, "bytes": 4}}


def test_distributions_count_documents_by_the_lower_bound_of_their_bin(release: Path) -> None:
    english, swahili = corpus_statistics(release).values()
    assert english["perplexity"] == {"256": 2, "1024": 1}
    assert swahili["perplexity"] == {}
    assert english["language_score"] == {"0.9": 1, "0.5": 1, "1.0": 1}
    assert english["length"] == {"4": 2, "1": 1}
    assert english["domains"] == {"a.example": 2, "b.example": 1}
    assert swahili["domains"] == {"": 1}  # no URL


def test_a_folder_without_a_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="wanted the folder of a release"):
        corpus_statistics(tmp_path)


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_figure_names_every_language(release: Path, ending: str) -> None:
    from ccnet.stats_plot import plot_corpus

    languages = corpus_statistics(release)
    for row in languages.values():
        row |= {"reference_bytes": 10, "paper_gib": 1.5}
    target = release / f"corpus.{ending}"
    plot_corpus({"release": "r", "languages": languages}, target)
    written = target.read_bytes()
    assert written.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    if ending == "svg":
        assert all(f"<!-- {code} -->".encode() in written for code in ("en", "sw", "head", "CC-100 (paper, table 6)"))


def batch(rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
    names = ("bucket", "crawl", "text", "perplexity", "language_score", "url")
    named = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.RecordBatch.from_pylist(
        [row | {"language": "en", "length": len(str(row["text"])), "nlines": 1} for row in named], schema=SCORED
    )


PAGES = [("head" if n % 3 else "tail", f"CC-MAIN-2026-{30 + n % 2}", f"text {n}", 100.0 * n, 0.9, f"http://a.example/{n}")
         for n in range(40)]  # fmt: skip


def statistics_of(*batches: Sequence[tuple[object, ...]]) -> Statistics:
    found = LanguageStatistics()
    for rows in batches:
        found.add(batch(rows))
    return found.to_json()


@pytest.mark.parametrize("cut", [1, 7, 39])
def test_statistics_of_parts_merge_into_those_of_the_whole(cut: int) -> None:
    parts = [statistics_of(PAGES[at : at + cut]) for at in range(0, len(PAGES), cut)]
    read_back = json.loads(json.dumps(parts, sort_keys=True))
    assert merge(reversed(read_back)) == statistics_of(PAGES) == statistics_of(PAGES[20:], [], PAGES[:20])


def test_the_documents_of_the_lowest_hashes_of_urls_are_the_sample() -> None:
    sample = statistics_of(PAGES[:9])["samples"]["head"]
    # 64 bits of BLAKE2b: page 4 39…, 2 3a…, 7 46…, 5 ba…, 8 be…, 1 f8…; pages 0, 3 and 6 are in the other bucket
    assert [document["url"][-1] for document in sample] == ["4", "2", "7", "5", "8"]
    assert sample[0] == {
        "url": "http://a.example/4",
        "crawl": "CC-MAIN-2026-30",
        "perplexity": 400.0,
        "language_score": 0.9,
        "length": 6,
        "text": "text 4",
    }


def test_a_bucket_has_a_few_samples_of_bounded_text_and_a_url_once() -> None:
    long = [("head", "CC-MAIN-2026-30", "é" * 5000, None, 0.9, f"http://a.example/{n % 20}") for n in range(60)]
    later = [("head", "CC-MAIN-2026-34", "later", None, 0.9, f"http://a.example/{n}") for n in range(20)]
    sample = statistics_of(later, long)["samples"]["head"]
    assert len({document["url"] for document in sample}) == len(sample) == 5
    assert {(len(document["text"]), document["length"], document["crawl"]) for document in sample} == {
        (1000, 5000, "CC-MAIN-2026-30")
    }


def test_languages_of_several_slices_are_merged_by_code() -> None:
    slices = [{"en": statistics_of(PAGES[:1])}, {"sw": statistics_of(PAGES[1:2]), "en": statistics_of(PAGES[2:4])}]
    found = merge_languages(slices)
    assert {code: sum(row["length"].values()) for code, row in found.items()} == {"en": 3, "sw": 1}


def test_written_domains_are_the_most_frequent_hundred() -> None:
    pages = [("all", "CC-MAIN-2026-30", "x", None, 0.9, f"http://{n % 150}.example/{n}") for n in range(250)]
    found = statistics_of(pages)["domains"]
    assert len(found) == 100
    assert set(found.values()) == {2}


def test_a_frequent_domain_stays_while_rare_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccnet.stats.MAX_MERGED_DOMAINS", 50)
    slices = []
    for part in range(10):
        rare = [("all", "c", "x", None, 0.9, f"http://{part}-{n}.example/") for n in range(40)]
        often = [("all", "c", "x", None, 0.9, f"http://often.example/{part}-{n}") for n in range(3)]
        slices.append(statistics_of(rare, often))
    found = merge(slices)["domains"]
    assert found["often.example"] == 30
    assert len(found) <= 50
