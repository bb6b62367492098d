"""Statistics of a small release, counted by hand, and the figure of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ccnet.document import CorpusError
from ccnet.release import PartWriters
from ccnet.shards import SCORED
from ccnet.stats import corpus_statistics

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
