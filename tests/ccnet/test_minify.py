"""A release without its text, and what is rebuilt of it from the crawl: everything, or each loss under a reason."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ccnet.crawl import CrawlSource, PermanentCrawlError, TransientCrawlError, WrongFileError
from ccnet.document import CorpusError
from ccnet.extract import extract_files
from ccnet.filters import FILTERED, Filters, filter_shard
from ccnet.minify import minify_release, reproduce_release
from ccnet.paragraphs import join_paragraphs, split_paragraphs
from ccnet.shards import SCORED
from ccnet.statmt import export_statmt
from tests.ccnet.gathering import gather
from tests.ccnet.odd_archives import html, response

LINES = [
    "The kettle sings on the stove of the old signal box.",
    "Der Kessel singt auf dem Herd des alten Stellwerks.",
    "Write to keeper@box.example or to 192.168.0.17 before the spring.",
    "Schreiben Sie vor dem Frühling an waerter@stellwerk.example.",
]


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """One page in two languages, and one in one."""
    pages = [LINES, [f"{line} Again." for line in LINES[::2]]]
    bodies = [html("".join(f"<p>{line}</p>" for line in lines)) for lines in pages]
    records = [response(body, url=f"http://box.example/{n}") for n, body in enumerate(bodies)]
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(b"".join(map(gzip.compress, records)))
    return path


def release(crawl: Path, folder: Path, *, paragraphs: bool, mask: bool) -> list[dict[str, object]]:
    """What the stages make of it, a line in German where it has a word of it."""
    extract_files([("crawl.warc.gz", crawl)], crawl.with_suffix(".parquet"), min_characters=1)
    [batch] = pq.ParquetFile(crawl.with_suffix(".parquet")).iter_batches()
    rows = (split_paragraphs(batch) if paragraphs else batch).to_pylist()
    named = [
        row | {"language": "de" if "S" in str(row["text"])[:1] or "Der" in str(row["text"])[:3] else "en",
               "language_score": 0.9, "perplexity": 100.0, "bucket": "head", "crawl": "X"}
        for row in rows
    ]  # fmt: skip
    scored = [pa.RecordBatch.from_pylist(named, schema=SCORED)]
    shard, filtered = crawl.with_name("scored.parquet"), crawl.with_name("filtered.parquet")
    pq.write_table(pa.Table.from_batches(join_paragraphs(scored) if paragraphs else scored, SCORED), shard)
    filter_shard(shard, Filters(mask=("email", "ip") if mask else ()), filtered)
    gather([filtered], folder)
    return documents(folder)


def documents(folder: Path) -> list[dict[str, object]]:
    found = [row for part in folder.rglob("*.parquet") for row in pq.ParquetFile(part).read().to_pylist()]
    for row in found:
        row["bucket"] = "head"
    return sorted(found, key=lambda row: (str(row["url"]), str(row["language"])))


@pytest.mark.parametrize("paragraphs", [True, False])
@pytest.mark.parametrize("mask", [True, False])
def test_every_document_comes_back_with_its_columns(crawl: Path, tmp_path: Path, paragraphs: bool, mask: bool) -> None:
    rows = release(crawl, tmp_path / "release", paragraphs=paragraphs, mask=mask)
    assert len(rows) == (3 if paragraphs else 2)
    assert ("<EMAIL>" in str(rows)) == mask
    minify_release(tmp_path / "release", tmp_path / "mini")
    counts = reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "again")
    assert (counts["documents_in"], counts["documents_kept"]) == (len(rows), len(rows))
    assert documents(tmp_path / "again") == rows
    assert set(rows[0]) == set(FILTERED.names)


def test_each_loss_has_its_reason(crawl: Path, tmp_path: Path) -> None:
    rows = release(crawl, tmp_path / "release", paragraphs=True, mask=False)
    minify_release(tmp_path / "release", tmp_path / "mini")
    table = pq.ParquetFile(next((tmp_path / "mini" / "lang=de").rglob("*.parquet")))
    changed = [row | {"line_ids": [0]} for row in table.read().to_pylist()]
    pq.write_table(pa.Table.from_pylist(changed, table.schema_arrow), next((tmp_path / "mini").rglob("lang=de/*/*")))
    members = crawl.read_bytes()
    crawl.write_bytes(members[: members.rindex(b"\x1f\x8b\x08")])  # the second page is gone
    counts = reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "again")
    assert counts == Counter(documents_in=3, documents_kept=1, dropped_text_differs=1, dropped_not_in_crawl=1)
    assert documents(tmp_path / "again") == [row for row in rows if row["url"] == "http://box.example/0"][1:]


def test_a_crawl_file_that_is_missing_costs_its_documents(crawl: Path, tmp_path: Path) -> None:
    rows = release(crawl, tmp_path / "release", paragraphs=False, mask=False)
    minify_release(tmp_path / "release", tmp_path / "mini")
    part = next((tmp_path / "mini").rglob("*.parquet"))
    table = pq.ParquetFile(part).read()
    segments = pa.array(["crawl.warc.gz", "gone.warc.gz"])
    pq.write_table(table.set_column(table.schema.get_field_index("cc_segment"), "cc_segment", segments), part)

    def fetch(error: Exception) -> Callable[[str], Path]:
        def give(name: str) -> Path:
            if name.startswith("gone"):
                raise error
            return tmp_path / name

        return give

    errors = {"file_missing": PermanentCrawlError("404"), "file_broken": WrongFileError("an error page")}
    for reason, error in errors.items():
        counts = reproduce_release(tmp_path / "mini", fetch(error), tmp_path / reason)
        assert counts["documents_in"] == 2
        assert counts["documents_kept"] == counts[f"dropped_{reason}"] == 1
        assert documents(tmp_path / reason) == rows[:1]
    with pytest.raises(TransientCrawlError):
        reproduce_release(tmp_path / "mini", fetch(TransientCrawlError("503")), tmp_path / "later")
    assert not (tmp_path / "later").exists()
    crawl.unlink()
    with pytest.raises(CorpusError, match=r"none of the 2 documents .*\(file missing 2\)"):
        reproduce_release(tmp_path / "mini", CrawlFolder(tmp_path), tmp_path / "none")


class CrawlFolder:
    """A crawl's files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Path:
        return CrawlSource(str(self.folder)).fetch(name, self.folder / "fetched").path


def test_what_a_killed_run_left_is_never_read(crawl: Path, tmp_path: Path) -> None:
    rows = release(crawl, tmp_path / "release", paragraphs=False, mask=False)
    for name in ("mini", "again"):
        left = tmp_path / f".{name}.part" / "lang=xx" / "head-00000.parquet"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half a file")
    assert minify_release(tmp_path / "release", tmp_path / "mini")["documents"] == 2
    reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "again")
    assert documents(tmp_path / "again") == rows
    assert not list(tmp_path.glob(".*.part"))


def test_a_release_of_the_other_kind_is_named(crawl: Path, tmp_path: Path) -> None:
    release(crawl, tmp_path / "release", paragraphs=False, mask=False)
    minify_release(tmp_path / "release", tmp_path / "mini")
    for call in (minify_release, export_statmt):
        with pytest.raises(CorpusError, match=r"lang=en/.*\.parquet: has no column text: .*xlmr reproduce"):
            call(tmp_path / "mini", tmp_path / "twice")
    with pytest.raises(CorpusError, match=r"\.parquet: has no column text_sha256: wanted a minified release"):
        reproduce_release(tmp_path / "release", lambda name: tmp_path / name, tmp_path / "again")
    next((tmp_path / "release").rglob("*.parquet")).write_bytes(b"PAR1 and no more")
    with pytest.raises(CorpusError, match=r"\.parquet: .*wanted a Parquet file"):
        minify_release(tmp_path / "release", tmp_path / "third")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["mini", "release"]
