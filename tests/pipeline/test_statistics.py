"""Reading the statistics of dumps and releases from a store, and what readers are shown of them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.corpus_table import corpus_csv, corpus_statistics_of, corpus_table
from pipeline.corpus_views import amount, corpus_view, language_view, overview, size
from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.manifest import Manifest
from pipeline.statistics import Kind, StatisticsReader, language_steps, overview_counts, steps_of
from pipeline.store import FileStore
from tests.pipeline.recorded import first, second, write_dump, write_release


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path)


class CountingStore(FileStore):
    """Remembers which keys were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []

    def get(self, key: str) -> bytes:
        self.read.append(key.rsplit("/", 1)[1])
        return super().get(key)


def test_the_overview_reads_manifests_alone_and_each_once(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    write_dump(store, "CC-MAIN-2026-30", first())
    write_dump(store, "CC-MAIN-2026-34", second())
    write_release(store, "cc100", {"languages": first()["languages"]})
    reader = StatisticsReader(store)
    rows = [overview(reader) for _ in range(2)][-1]
    assert [row.name for row in rows["dumps"]] == ["CC-MAIN-2026-34", "CC-MAIN-2026-30"]
    assert [(row.name, row.documents, row.bytes, row.languages) for row in rows["releases"]] == [("cc100", 16, 190, 2)]
    assert store.read == ["manifest.json"] * 3


def test_statistics_are_read_once(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    write_dump(store, "CC-MAIN-2026-30", first())
    reader = StatisticsReader(store)
    for _ in range(3):
        corpus_view(reader, reader.corpus(Kind.DUMP, "CC-MAIN-2026-30"))
    assert store.read == ["manifest.json", "statistics.json"]


def test_the_newest_of_a_dump_is_shown_and_the_others_by_fingerprint(store: FileStore) -> None:
    newer = write_dump(store, "CC-MAIN-2026-30", second(), at="2026-08-02T00:00:00+00:00")
    older = write_dump(store, "CC-MAIN-2026-30", first(), at="2026-08-01T00:00:00+00:00")
    reader = StatisticsReader(store)
    assert reader.corpus(Kind.DUMP, "CC-MAIN-2026-30").fingerprint == newer
    assert [corpus.fingerprint for corpus in reader.versions(Kind.DUMP, "CC-MAIN-2026-30")] == [newer, older]
    assert reader.statistics(reader.corpus(Kind.DUMP, "CC-MAIN-2026-30", older)) == first()
    assert len(overview(reader)["dumps"]) == 1
    with pytest.raises(MissingArtifact, match=f"no version 0000 of this dump: wanted one of {newer}, {older}"):
        reader.corpus(Kind.DUMP, "CC-MAIN-2026-30", "0000")


def test_a_dump_that_ends_later_is_seen_when_the_store_is_listed_again(store: FileStore) -> None:
    now = 0.0
    reader = StatisticsReader(store, clock=lambda: now)
    assert reader.corpora(Kind.DUMP) == ()
    write_dump(store, "CC-MAIN-2026-30", first())
    assert reader.corpora(Kind.DUMP) == ()
    now = 10.0
    assert [corpus.name for corpus in reader.corpora(Kind.DUMP)] == ["CC-MAIN-2026-30"]


@pytest.mark.parametrize("broken", [b"", b"{", b'{"stage": "summarize"}'])
def test_a_broken_manifest_does_not_hide_the_others(store: FileStore, broken: bytes) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    store.put("summarize/CC-MAIN-2026-34/0123456789abcdef/manifest.json", broken)
    assert [row.name for row in overview(StatisticsReader(store))["dumps"]] == ["CC-MAIN-2026-30"]


def test_a_changed_artifact_is_refused_with_what_to_do(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    reader = StatisticsReader(store)
    corpus = reader.corpus(Kind.DUMP, "CC-MAIN-2026-30")
    store.put(corpus.artifact.key, b"{}")
    with pytest.raises(CorruptArtifact, match=r"Delete .*manifest\.json and run summarize again"):
        reader.statistics(corpus)


def test_a_dump_is_compared_with_the_one_before_it(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    write_dump(store, "CC-MAIN-2026-34", second())
    reader = StatisticsReader(store)
    view = corpus_view(reader, reader.corpus(Kind.DUMP, "CC-MAIN-2026-34"))
    assert view.previous is not None
    assert view.previous.name == "CC-MAIN-2026-30"
    assert [(row.code, row.documents, row.before, row.paper_gib) for row in view.languages] == [
        ("en", 20, 10, 300.8),
        ("ur", 4, None, 5.7),
    ]
    assert corpus_view(reader, reader.corpus(Kind.DUMP, "CC-MAIN-2026-30")).previous is None


def test_a_language_is_told_whole_with_shares_and_its_funnel(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    write_dump(store, "CC-MAIN-2026-34", second())
    reader = StatisticsReader(store)
    view = language_view(reader, reader.corpus(Kind.DUMP, "CC-MAIN-2026-34"), "en")
    assert [(bin_.least, bin_.documents, bin_.share, bin_.before_share) for bin_ in view.distributions["length"]] == [
        (32.0, 0, 0.0, 0.0),
        (64.0, 5, 0.25, 0.0),
        (128.0, 0, 0.0, 0.0),
        (256.0, 15, 0.75, 0.4),
        (512.0, 0, 0.0, 0.0),
        (1024.0, 0, 0.0, 0.6),
        (2048.0, 0, 0.0, 0.0),
    ]
    assert view.distributions["language_score"] == ()
    assert list(view.domains.items()) == [("b.example", 12), ("a.example", 8)]
    assert [(step.stage, step.documents_in, step.documents_kept) for step in view.steps] == [
        ("identify", None, 25),
        ("filter_documents", 25, 20),
    ]
    assert [step.stage for step in view.funnels["CC-MAIN-2026-34"]] == ["extract", "deduplicate", "identify"]


def test_a_language_of_which_nothing_was_kept_has_no_row(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    reader = StatisticsReader(store)
    view = language_view(reader, reader.corpus(Kind.DUMP, "CC-MAIN-2026-30"), "xh")
    assert (view.row, view.name, view.amounts, view.samples) == (None, "Xhosa", (), {})
    assert view.funnels


def manifest(stage: str, unit: str, **counts: int) -> Manifest:
    return Manifest(
        stage=stage, version=1, unit=unit, fingerprint="0", config={}, inputs=(), artifacts=(), counts=counts,
        seconds=0, attempt="", written_at="", code_version="", library_versions={},
    )  # fmt: skip


def test_steps_add_up_over_slices_in_the_order_of_the_pipeline() -> None:
    slices = [
        manifest("identify", f"CC-MAIN-2026-30/{n}", documents_in=5, documents_kept=3, dropped_low_score=2, kept_en=3)
        for n in range(2)
    ]
    extracted = manifest("extract", "CC-MAIN-2026-30/0", documents_in=20, documents_kept=10, dropped_too_short=10)
    assert list(steps_of([*slices, extracted, manifest("fetch", "CC-MAIN-2026-30/0", files=2)]).items()) == [
        ("extract", {"documents_in": 20, "documents_kept": 10, "dropped": {"too_short": 10}}),
        ("identify", {"documents_in": 10, "documents_kept": 6, "dropped": {"low_score": 4}}),
    ]
    assert language_steps("en", slices, {"en": {"length": 1}}) == {
        "identify": {"kept": 6},
        "filter_documents": {"length": 1},
    }


def test_counts_of_the_overview_are_the_languages_together() -> None:
    assert overview_counts(first()["languages"]) == {
        "languages": 2,
        "documents": 16,
        "paragraphs": 32,
        "characters": 160,
        "bytes": 190,
    }


def test_the_table_fits_eighty_columns_whatever_the_amounts(store: FileStore) -> None:
    wide = first()
    wide["languages"]["en"]["buckets"] = {
        bucket: {"documents": 987654321, "paragraphs": 1, "characters": 1, "bytes": 10**13}
        for bucket in ("head", "all")
    }
    write_dump(store, "CC-MAIN-2026-30", wide)
    statistics = corpus_statistics_of(store)
    statistics["languages"]["en"]["tokens"] = 10**12
    out = io.StringIO()
    Console(file=out, width=80).print(corpus_table(statistics))
    assert out.getvalue().replace("\n", "").startswith(statistics["dump"])
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "1,975,308,642" in out.getvalue()
    assert "50/0/0/50" in out.getvalue()
    assert "18.2 TiB" in out.getvalue()


def test_a_dump_is_chosen_by_name_and_a_release_without_one(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    write_dump(store, "CC-MAIN-2026-34", second())
    assert corpus_statistics_of(store)["dump"].startswith(f"{store.root}/summarize/CC-MAIN-2026-34/")
    dumps = {"CC-MAIN-2026-30": {"steps": first()["steps"]}}
    write_release(store, "cc100", {"languages": first()["languages"], "dumps": dumps})
    release = corpus_statistics_of(store)
    assert release["release"].startswith(f"{store.root}/publish/cc100/")
    assert list(release["crawls"]["CC-MAIN-2026-30"]) == ["extract", "deduplicate", "identify"]
    assert release["dropped"]["identify"] == {"low_score": 4}
    assert "dump" in corpus_statistics_of(store, name="CC-MAIN-2026-30")
    with pytest.raises(MissingArtifact, match="no release or dump cc99 in this store: there are CC-MAIN-2026-34"):
        corpus_statistics_of(store, name="cc99")


def test_csv_has_a_line_a_language_bucket_and_dump(store: FileStore) -> None:
    write_dump(store, "CC-MAIN-2026-30", first())
    lines = corpus_csv(corpus_statistics_of(store)).splitlines()
    assert lines[0] == "language,bucket,crawl,documents,paragraphs,characters,bytes"
    assert "sw,all,CC-MAIN-2026-30,6,12,60,90" in lines


@pytest.mark.parametrize(
    ("n", "said"), [(0, "0 B"), (999, "999 B"), (1023, "0.999 KiB"), (1 << 20, "1 MiB"), (1.46 * 2**30, "1.46 GiB")]
)
def test_sizes_have_three_digits(n: float, said: str) -> None:
    assert size(n) == said


def test_amounts_have_three_digits() -> None:
    assert [amount(n) for n in (7, 999, 12345, 10**6, 77_800_000)] == ["7", "999", "12.3k", "1M", "77.8M"]


def test_recorded_statistics_of_the_benchmark_have_the_form_of_real_ones(store: FileStore) -> None:
    from benchmarks.recorded_statistics import make_store
    from ccnet.stats import LanguageStatistics

    make_store(store, ["CC-MAIN-2026-30"], ["sw"])
    reader = StatisticsReader(store)
    found: dict[str, Any] = reader.statistics(reader.corpus(Kind.DUMP, "CC-MAIN-2026-30"))["languages"]["sw"]
    assert set(found) - {"steps"} == set(LanguageStatistics().to_json())
    assert json.dumps(found)
    assert datetime.fromisoformat(reader.corpora(Kind.DUMP)[0].written_at).tzinfo == UTC
