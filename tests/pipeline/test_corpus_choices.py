"""The corpus run, in process, with its options: dedup's scope, dumps by language, models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from embedded.crawls import make_small_crawls
from pipeline.corpus_table import corpus_statistics_of
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig
from pipeline.plan import Plan, select
from pipeline.runner import run_work
from pipeline.runs import END_TO_END, EndToEndSettings
from pipeline.store import open_store
from pipeline.tools import LANGUAGE_IDENTIFIER, find_tool

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = make_small_crawls(tmp_path_factory.mktemp("crawl"))
    return {"source": found.base_uri, "dumps": found.crawls, "language_identifier": str(LANGUAGE_IDENTIFIER)}


def corpus(store: Path, crawl: dict[str, Any], **choices: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows of the release, and how often each stage ran rather than stood already."""
    given = {"languages": ["en", "de", "sw"], "min_characters": 100, "kind": "warc", "slices": 2, "dedup_ranges": 1,
             "part_gib": 10_000} | crawl | choices  # fmt: skip
    places = {name: value for name, value in given.items() if name in Deployment.model_fields}
    deployment = Deployment.parse(places | {"store": store.as_uri()})
    settings = EndToEndSettings.parse({name: value for name, value in given.items() if name not in places})
    works = select(Plan(END_TO_END, settings, deployment), "publish")
    opened = open_store(deployment.store)
    ran: dict[str, int] = {}
    for work in works:
        ran[work.stage] = ran.get(work.stage, 0) + (not opened.exists(work.key))
        run_work(work, deployment.store)
    manifest = opened.manifest(works[-1].key)
    parts = [a for a in manifest.artifacts if a.name.endswith(".parquet")]
    statistics = corpus_statistics_of(opened)
    assert statistics["release"] == opened.uri(manifest.key)
    return [row for part in parts for row in pq.ParquetFile(opened.open(part)).read().to_pylist()], ran


def test_adding_a_dump_to_a_global_corpus_reads_hashes_alone_and_keeps_first_copies(
    crawl: dict[str, Any], tmp_path: Path
) -> None:
    first, *_ = crawl["dumps"]
    before, _ = corpus(tmp_path, crawl | {"dumps": [first]}, dedup="global")
    after, ran = corpus(tmp_path, crawl, dedup="global", dedup_memory_gib=1e-6)
    assert (ran["extract"], ran["hash_paragraphs"], ran["find_duplicates"], ran["deduplicate"]) == (2, 2, 1, 2)
    kept = {(row["url"], row["text"]) for row in after if row["crawl"] == first}
    assert kept == {(row["url"], row["text"]) for row in before}
    paragraphs = [line for row in after for line in set(row["text"].split("\n"))]
    assert len(paragraphs) == len(set(paragraphs))
    by_dump, _ = corpus(tmp_path, crawl)
    assert 0 < len(by_dump) != len(after)


@pytest.mark.parametrize("dedup", ["dump", "global"])
def test_duplicates_found_in_ranges_by_several_tasks_are_the_same(
    crawl: dict[str, Any], tmp_path: Path, dedup: str
) -> None:
    whole, _ = corpus(tmp_path / "whole", crawl, dedup=dedup)
    cut, ran = corpus(tmp_path / "cut", crawl, dedup=dedup, dedup_ranges=3, dedup_memory_gib=1e-6)
    assert (cut, ran["find_duplicates"]) == (whole, 6)


def test_statistics_of_dumps_and_languages_tell_every_step(crawl: dict[str, Any], tmp_path: Path) -> None:
    rows, _ = corpus(tmp_path, crawl)
    found = corpus_statistics_of(open_store(tmp_path.as_uri()))
    assert sorted(found["crawls"]) == sorted(crawl["dumps"])
    stages = ["extract", "deduplicate", "identify", "filter_perplexity", "filter_documents"]
    for steps in found["crawls"].values():
        assert list(steps) == stages
        for step in steps.values():
            assert step["documents_in"] == step["documents_kept"] + sum(step["dropped"].values())
    english = found["languages"]["en"]
    kept = sum(amounts["documents"] for amounts in english["buckets"].values())
    assert kept == sum(row["language"] == "en" for row in rows)
    assert english["steps"]["identify"]["kept"] == kept + sum(english["steps"]["regroup"].values())


def test_a_language_is_taken_from_the_dumps_that_the_release_names(crawl: dict[str, Any], tmp_path: Path) -> None:
    first, last = crawl["dumps"]
    rows, _ = corpus(tmp_path, crawl, dumps_of={"en": [last]})
    assert {row["crawl"] for row in rows if row["language"] == "en"} == {last}
    assert {row["crawl"] for row in rows if row["language"] == "de"} == {first, last}


def test_given_language_models_and_cut_offs_are_used_as_they_are(crawl: dict[str, Any], tmp_path: Path) -> None:
    from ccnet.language_model import train_language_model
    from embedded.written import reference_sentences

    models = tmp_path / "models"
    models.mkdir()
    train_language_model(
        reference_sentences()["en"], models, lmplz=find_tool("lmplz"), build_binary=find_tool("build_binary"), order=3,
        vocabulary_size=300, prune=(0, 0, 1), structure="trie", bits=8,
    )  # fmt: skip
    for name in ("sp.model", "arpa.bin"):
        (models / name).rename(models / f"en.{name}")
    table = tmp_path / "cut_offs.tsv"
    table.write_text("language\tpercentile_30\tpercentile_60\nen\t1\t1000000\n")
    rows, _ = corpus(tmp_path / "store", crawl, language_models=str(models), cut_offs=str(table))
    english = [row for row in rows if row["language"] == "en"]
    assert {row["perplexity"] is None for row in english} == {False}
    assert {row["perplexity"] for row in rows if row["language"] == "de"} == {None}
    placed = open_store((tmp_path / "store").as_uri()).list("corpus/")
    assert [key.split("/")[3] for key in placed if "/lang=en/" in key] == ["bucket=middle"]


def test_dumps_that_the_run_does_not_have_are_refused(crawl: dict[str, Any]) -> None:
    settings = {"dumps": crawl["dumps"], "languages": ["en"]}
    with pytest.raises(BadConfig, match=r"dumps_of 'en' is CC-MAIN-2001-01: wanted some of the dumps"):
        EndToEndSettings.parse(settings | {"dumps_of": {"en": ["CC-MAIN-2001-01"]}})
    with pytest.raises(BadConfig, match="which is not among the languages"):
        EndToEndSettings.parse(settings | {"dumps_of": {"sw": crawl["dumps"]}})


def test_filters_drop_what_they_state_and_keep_it_aside(crawl: dict[str, Any], tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "thresholds.tsv").write_text("de\tlength\t1000000\t\n")
    store = tmp_path / "store"
    rows, _ = corpus(store, crawl, filters=str(rules), keep_excluded=True)
    assert "de" not in {row["language"] for row in rows}
    assert rows[0]["symbol_ratio"] < 0.2
    opened = open_store(store.as_uri())
    manifests = [opened.manifest(key) for key in opened.list("filter_documents/") if key.endswith("manifest.json")]
    aside = [artifact for m in manifests for artifact in m.artifacts if artifact.name == "excluded/de.parquet"]
    gone = [row for artifact in aside for row in pq.read_table(opened.open(artifact)).to_pylist()]
    assert len(gone) == sum(m.counts["dropped_length"] for m in manifests) > 0
    assert {(row["language"], row["reason"]) for row in gone} == {("de", "length")}
    assert corpus_statistics_of(opened)["dropped"]["filter_documents"] == {"length": len(gone)}


def test_without_filters_nothing_is_copied(crawl: dict[str, Any], tmp_path: Path) -> None:
    corpus(tmp_path, crawl)
    keys = open_store(tmp_path.as_uri()).list("filter_documents/")
    assert keys
    assert all(key.endswith("manifest.json") for key in keys)
