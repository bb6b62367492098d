"""Documents with text of a benchmark in a release: dropped or marked, counted, and what a new benchmark runs again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from embedded.crawls import make_small_crawls
from pipeline.build_on import make_plan, named_manifests
from pipeline.corpus_table import corpus_statistics_of
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, BadInput
from pipeline.manifest import Manifest
from pipeline.plan import Plan, select
from pipeline.runner import run_work
from pipeline.runs import END_TO_END, RELEASE
from pipeline.store import ArtifactStore, open_store
from pipeline.tools import LANGUAGE_IDENTIFIER

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")

LANGUAGES = ["de", "en"]
OTHER = "Nobody has written this sentence on any page of the small crawl, for it is about a purple submarine."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """With a finished dump."""
    crawl = make_small_crawls(tmp_path_factory.mktemp("crawl"))
    found = open_store(tmp_path_factory.mktemp("store").as_uri())
    settings = {"dumps": crawl.crawls[:1], "languages": LANGUAGES, "min_characters": 100, "kind": "warc", "slices": 2,
                "dedup_ranges": 1}  # fmt: skip
    place = Deployment(store=found.root, source=crawl.base_uri, language_identifier=str(LANGUAGE_IDENTIFIER))
    for work in select(Plan(END_TO_END, END_TO_END.settings.parse(settings), place), "summarize"):
        run_work(work, found.root)
    return found


def xnli(folder: Path, *premises: str) -> Path:
    """A benchmark folder whose test set has these premises."""
    (folder / "xnli").mkdir(parents=True)
    rows = [f"en\tneutral\t{premise}\tA hypothesis." for premise in premises]
    header = "language\tgold_label\tsentence1\tsentence2"
    (folder / "xnli" / "xnli.test.tsv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "xnli" / "xnli.dev.tsv").write_text(f"{header}\nen\tneutral\t{OTHER}\tA hypothesis.\n")
    (folder / "xnli" / "multinli.train.en.tsv").write_text("premise\thypo\tlabel\nA.\tB.\tneutral\n")
    return folder


def release(store: ArtifactStore, data: Path | None, **choices: Any) -> tuple[Manifest, Counter[str]]:
    """The release's manifest, and of each stage how many units ran."""
    place = Deployment(store=store.root, benchmark_data=str(data or ""))
    given = {
        "release": "small",
        "languages": LANGUAGES,
        "decontaminate_against": ["xnli"],
        "part_gib": 10_000,
    } | choices
    settings = RELEASE.settings.parse(given)
    works = select(make_plan(RELEASE, settings, place, store, named_manifests(RELEASE, settings, place, store)),
                   "publish")  # fmt: skip
    ran: Counter[str] = Counter()
    for work in works:
        ran[work.stage] += not store.exists(work.key)
        run_work(work, store.root)
    return store.manifest(works[-1].key), ran


def rows(store: ArtifactStore, manifest: Manifest) -> list[dict[str, Any]]:
    parts = [artifact for artifact in manifest.artifacts if artifact.name.endswith(".parquet")]
    return [row for part in parts for row in pq.ParquetFile(store.open(part)).read().to_pylist()]


def test_documents_are_dropped_or_marked_and_the_statistics_say_so(store: ArtifactStore, tmp_path: Path) -> None:
    whole, ran = release(store, None)
    assert ran == Counter(find_copies=2, regroup=2, publish=1)
    before = rows(store, whole)
    assert "benchmarks" not in before[0]
    leaked = next(row for row in before if row["language"] == "en" and row["length"] > 200)
    data = xnli(tmp_path / "data", " ".join(leaked["text"].split())[:150].upper())

    dropped, ran = release(store, data, decontaminate="drop")
    assert ran == Counter(ingest=1, index_benchmarks=1, find_copies=0, regroup=2, publish=1)
    assert rows(store, dropped) == [row for row in before if row["url"] != leaked["url"]]
    found = corpus_statistics_of(store)
    assert found["dropped"]["regroup"] == {"benchmark_text": 1}
    assert {code: row["benchmarks"] for code, row in found["languages"].items()} == {"de": {}, "en": {"xnli": 1}}

    marked, ran = release(store, data, decontaminate="mark")
    assert ran == Counter(ingest=0, index_benchmarks=0, find_copies=0, regroup=2, publish=1)
    after = rows(store, marked)
    assert [row["url"] for row in after if row["benchmarks"] == ["xnli"]] == [leaked["url"]]
    assert [{name: row[name] for name in before[0]} for row in after] == before
    folders = [{a.key.split("/")[1] for a in m.artifacts if a.key.startswith("corpus/")}
               for m in (whole, dropped, marked)]  # fmt: skip
    assert len(set().union(*folders)) == 3


def test_a_new_benchmark_makes_a_new_release_and_no_dump(store: ArtifactStore, tmp_path: Path) -> None:
    clean, _ = release(store, xnli(tmp_path / "old", OTHER), decontaminate="drop")
    text = next(row["text"] for row in rows(store, clean) if row["language"] == "de" and row["length"] > 200)
    newer, ran = release(store, xnli(tmp_path / "new", " ".join(text.split())[:120]), decontaminate="drop")
    assert ran == Counter(ingest=1, index_benchmarks=1, find_copies=0, regroup=2, publish=1)
    assert len(rows(store, newer)) == len(rows(store, clean)) - 1
    assert all(store.exists(artifact.key) for artifact in clean.artifacts)


def test_benchmarks_that_are_not_there_are_named(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="decontaminate=drop: the deployment names no benchmark_data"):
        release(store, None, decontaminate="drop")
    with pytest.raises(BadInput, match=r"mlqa: no such folder: put MLQA"):
        release(store, xnli(tmp_path, OTHER), decontaminate="drop", decontaminate_against=["xnli", "mlqa"])
