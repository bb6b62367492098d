"""Opt-out: what the removal list and robots.txt take out, what runs again for it, and how it is counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from embedded.crawls import CrawlFolder, make_small_crawls
from pipeline.build_on import make_plan, named_manifests
from pipeline.corpus_table import corpus_statistics_of
from pipeline.deployment import Deployment
from pipeline.errors import BadInput, MissingArtifact
from pipeline.manifest import Manifest
from pipeline.plan import Plan, select
from pipeline.runner import run_work
from pipeline.runs import END_TO_END, RELEASE
from pipeline.store import ArtifactStore, open_store
from pipeline.tools import LANGUAGE_IDENTIFIER
from tests.ccnet.robots_files import answer, write_robots

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")

LANGUAGES = ["de", "en", "sw"]


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> CrawlFolder:
    """With robots.txt answers in two files, as many as a dump of three slices may have."""
    folder = tmp_path_factory.mktemp("crawl")
    made = make_small_crawls(folder)
    inside = f"crawl-data/{made.crawls[0]}"
    paths = [f"{inside}/segments/1.1/robotstxt/{number}.warc.gz" for number in range(2)]
    write_robots(folder / paths[0], answer("http://en.written.example/robots.txt", "User-agent: *\nDisallow: /none/\n"),
                 answer("http://sw.written.example/robots.txt", "", date="2026-07-01T00:00:00Z"))  # fmt: skip
    write_robots(folder / paths[1], answer("http://sw.written.example/robots.txt", "User-agent: GPTBot\nDisallow: /\n"))
    (folder / inside / "robotstxt.paths.gz").write_bytes(gzip.compress("\n".join(paths).encode()))
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, crawl: CrawlFolder) -> ArtifactStore:
    """With a finished dump."""
    found = open_store(tmp_path_factory.mktemp("store").as_uri())
    dump(found, crawl)
    return found


def dump(store: ArtifactStore, crawl: CrawlFolder, **choices: Any) -> tuple[dict[str, Any], Counter[str]]:
    """The statistics of the dump, and of each stage how many units ran."""
    settings = {"dumps": crawl.crawls[:1], "languages": LANGUAGES, "min_characters": 100, "kind": "warc", "slices": 3,
                "dedup_ranges": 1} | choices  # fmt: skip
    place = Deployment(store=store.root, source=crawl.base_uri, language_identifier=str(LANGUAGE_IDENTIFIER))
    ran: Counter[str] = Counter()
    for work in select(Plan(END_TO_END, END_TO_END.settings.parse(settings), place), "summarize"):
        ran[work.stage] += not store.exists(work.key)
        run_work(work, store.root)
    manifest = store.manifest(work.key)
    return json.loads(store.get(manifest.artifact("statistics.json").key)), +ran


def release(store: ArtifactStore, removals: Path | None) -> tuple[Manifest, Counter[str]]:
    """The release's manifest, and of each stage how many units ran."""
    place = Deployment(store=store.root, removals=str(removals or ""))
    settings = RELEASE.settings.parse({"release": "small", "languages": LANGUAGES, "part_gib": 50.0})
    named = named_manifests(RELEASE, settings, place, store)
    ran: Counter[str] = Counter()
    for goal in (*(["find_removals"] if removals else []), "publish"):
        works = select(make_plan(RELEASE, settings, place, store, named), goal)
        for work in works:
            ran[work.stage] += not store.exists(work.key)
            run_work(work, store.root)
    return store.manifest(works[-1].key), ran


def rows(store: ArtifactStore, manifest: Manifest) -> list[dict[str, Any]]:
    parts = [artifact for artifact in manifest.artifacts if artifact.name.endswith(".parquet")]
    return [row for part in parts for row in pq.ParquetFile(store.open(part)).read().to_pylist()]


def test_after_a_removal_the_parts_that_hold_its_host_are_made_again_and_no_other(
    store: ArtifactStore, tmp_path: Path
) -> None:
    whole, ran = release(store, None)
    before = rows(store, whole)
    parts = ran["regroup"]
    assert parts > len(LANGUAGES)
    listed = tmp_path / "removals.txt"
    listed.write_text("# of nobody here\nnowhere.example\n")
    same, ran = release(store, listed)
    assert same.key == whole.key
    assert ran == Counter(list_hosts=parts, find_removals=3, find_copies=0, regroup=0, publish=0)

    gone = next(row["url"] for row in before if "/sw.written.example/" in row["url"])
    listed.write_text(f"nowhere.example\n{gone}\n")
    reduced, ran = release(store, listed)
    swahili = [key for key in whole.inputs if key.startswith("regroup/sw/")]
    assert ran == Counter(list_hosts=0, find_removals=3, find_copies=0, regroup=len(swahili), publish=1)
    assert set(whole.inputs) - set(reduced.inputs) == set(swahili)
    left = [row for row in before if row["url"] != gone]
    assert 0 < len(left) < len(before)
    assert rows(store, reduced) == left


def test_the_release_is_one_whole_folder_and_the_earlier_one_stays(store: ArtifactStore, tmp_path: Path) -> None:
    whole, _ = release(store, None)
    listed = tmp_path / "removals.txt"
    listed.write_text("sw.written.example\n")
    reduced, _ = release(store, listed)
    earlier, folder = (
        {artifact.key.split("/")[1] for artifact in found.artifacts if artifact.key.startswith("corpus/")}
        for found in (whole, reduced)
    )
    assert len(earlier) == len(folder) == 1
    assert earlier != folder
    published = [key for key in store.list(f"corpus/{folder.pop()}/") if key.endswith(".parquet")]
    assert published == [artifact.key for artifact in reduced.artifacts if artifact.name.endswith(".parquet")]
    assert {row["language"] for row in rows(store, reduced)} == {"de", "en"}
    assert {row["language"] for row in rows(store, whole)} == {"de", "en", "sw"}
    dropped = corpus_statistics_of(store)["dropped"]["regroup"]
    assert dropped["removal_list"] == sum(row["language"] == "sw" for row in rows(store, whole))


def test_removals_are_found_before_the_parts_are_planned(store: ArtifactStore, tmp_path: Path) -> None:
    listed = tmp_path / "removals.txt"
    listed.write_text("en.written.example\n")
    place = Deployment(store=store.root, removals=str(listed))
    settings = RELEASE.settings.parse({"release": "small", "languages": LANGUAGES})
    named = named_manifests(RELEASE, settings, place, store)
    work = make_plan(RELEASE, settings, place, store, named).works("regroup")[0]
    with pytest.raises(MissingArtifact, match="run find_removals first"):
        run_work(work, store.root)


def test_a_line_that_is_no_host_is_named(store: ArtifactStore, tmp_path: Path) -> None:
    listed = tmp_path / "removals.txt"
    listed.write_text("en.written.example\nhttp://[x/\n")
    with pytest.raises(BadInput, match=r"removals\.txt line 2: 'http://\[x/': .*wanted a host"):
        release(store, listed)
    with pytest.raises(MissingArtifact, match=r"nowhere\.txt: no such file"):
        release(store, tmp_path / "nowhere.txt")


def test_pages_that_robots_txt_disallows_are_dropped_and_counted_by_dump_and_language(
    store: ArtifactStore, crawl: CrawlFolder
) -> None:
    plain, ran = dump(store, crawl)
    assert not ran
    swahili = sum(amounts["documents"] for amounts in plain["languages"]["sw"]["buckets"].values())
    found, ran = dump(store, crawl, robots_agents=["GPTBot", "CCBot"])
    assert ran == Counter(fetch_robots=3, read_robots=3, gather_robots=1, filter_documents=3, summarize=1)
    assert found["steps"]["filter_documents"]["dropped"] == {"robots_txt": swahili}
    assert found["languages"]["sw"]["steps"]["filter_documents"] == {"robots_txt": swahili}
    assert found["languages"]["en"] == plain["languages"]["en"] | {"steps": found["languages"]["en"]["steps"]}

    allowed, ran = dump(store, crawl, robots_agents=["CCBot"])
    assert ran == Counter(filter_documents=3, summarize=1)
    assert allowed["steps"]["filter_documents"]["dropped"] == {}
    dump(store, crawl)  # the other tests' dump is the current one again


def test_what_is_masked_is_counted_by_language_and_kind(store: ArtifactStore, crawl: CrawlFolder) -> None:
    found, _ = dump(store, crawl, mask_contacts=["phone", "iban"])
    assert set(found["languages"]["en"]["masked"]) == {"iban", "phone"}
    manifests = [store.manifest(key) for key in store.list("filter_documents/") if key.endswith("manifest.json")]
    assert {str(manifest.config["mask_contacts"]) for manifest in manifests} == {"False", "['iban', 'phone']"}
    dump(store, crawl)
