"""CCNet's recipe on local files: its own answers, the layout that every reader takes, and what goes wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import lzma
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ccnet.cut_offs import ccnet_cut_offs, read_cut_offs
from ccnet.document import CorpusError
from ccnet.minify import minify_release, reproduce_release
from ccnet.perplexity import CutOffs
from ccnet.recipe import Recipe, make_corpus, models_in
from ccnet.shards import SCORED
from ccnet.statmt import export_statmt
from embedded.sentences import WORDS, combination, sentence
from pipeline.tools import LANGUAGE_IDENTIFIER
from tests.ccnet.gathering import gather
from tests.ccnet.odd_archives import conversion
from tests.ccnet.robots_files import answer, write_robots

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "ccnet"
pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")
RECIPE = Recipe(LANGUAGE_IDENTIFIER, {}, {}, min_characters=40)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two WET files; the line `menu` is in every page of both."""
    found = []
    for name, language in (("a", "en"), ("b", "de")):
        lines = [sentence(WORDS[language], *combination(n)) for n in range(12)]
        pages = [f"title {n}\nmenu\n{lines[n]}\n{lines[n + 1]}" for n in range(0, 12, 2)]
        records = [conversion(f"http://{name}.example/{n}", page) for n, page in enumerate(pages)]
        found.append(tmp_path / f"{name}.warc.wet.gz")
        found[-1].write_bytes(b"".join(map(gzip.compress, records)))
    return found


def rows(folder: Path) -> list[dict[str, object]]:
    table = pq.read_table(folder)
    return sorted(table.to_pylist(), key=lambda row: str(row["url"]))


def test_a_line_that_pages_of_two_files_have_is_removed_from_both(files: list[Path], tmp_path: Path) -> None:
    counts = make_corpus(files, tmp_path / "out", RECIPE)
    found = rows(tmp_path / "out")
    assert len(found) == counts["identify"]["documents_kept"] == 12
    assert {row["language"] for row in found} == {"en", "de"}
    assert all("menu" not in str(row["text"]) and row["line_ids"] == [1, 2] for row in found)


def test_removals_and_robots_txt_take_pages_out_and_leave_the_others_as_they_are(
    files: list[Path], tmp_path: Path
) -> None:
    make_corpus(files, tmp_path / "whole", RECIPE)
    removals = tmp_path / "removals.txt"
    removals.write_text("http://a.example/2\n")
    robots = write_robots(
        tmp_path / "robots.warc.gz", answer("http://b.example/robots.txt", "User-agent: GPTBot\nDisallow: /4\n")
    )
    recipe = replace(RECIPE, removals=removals, robots=(robots,), robots_agents=("GPTBot",))
    counts = make_corpus(files, tmp_path / "out", recipe)
    gone = ("http://a.example/2", "http://b.example/4")
    assert rows(tmp_path / "out") == [row for row in rows(tmp_path / "whole") if row["url"] not in gone]
    assert counts["opt_out"] == Counter(
        documents_in=12, documents_kept=10, dropped_removal_list=1, dropped_robots_txt=1
    )
    assert make_corpus(files, tmp_path / "two", recipe, workers=2) == counts
    with pytest.raises(CorpusError, match="wanted robotstxt files and the names of crawlers"):
        make_corpus(files, tmp_path / "other", replace(recipe, robots_agents=()))
    removals.write_text("two words\n")
    with pytest.raises(CorpusError, match=r"removals\.txt line 1: 'two words'"):
        make_corpus(files, tmp_path / "other", recipe)


def test_two_workers_make_what_one_makes(files: list[Path], tmp_path: Path) -> None:
    one = make_corpus(files, tmp_path / "one", RECIPE)
    assert make_corpus(files, tmp_path / "two", RECIPE, workers=2) == one
    names = [sorted(p.relative_to(f).as_posix() for p in f.rglob("*.*")) for f in (tmp_path / "one", tmp_path / "two")]
    assert names[0] == names[1]
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in names[0])


def test_a_second_run_keeps_what_stands_and_another_recipe_is_refused(files: list[Path], tmp_path: Path) -> None:
    first = make_corpus(files, tmp_path / "out", RECIPE)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert make_corpus(files, tmp_path / "out", RECIPE) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times
    with pytest.raises(CorpusError, match="another recipe's work"):
        make_corpus(files[:1], tmp_path / "out", RECIPE)


def test_files_without_a_document_leave_nothing_and_say_why(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"2 files gave no document \(too_short 12\)"):
        make_corpus(files, tmp_path / "out", Recipe(LANGUAGE_IDENTIFIER, {}, {}, min_characters=10_000))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.warc.wet.gz", "b.warc.wet.gz"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "it has 0 bytes"),
        (b"<!DOCTYPE html><title>Not found</title>", "begins with '<!DOCTYPE html>.*no WARC record"),
        (gzip.compress(b"crawl-data/x.warc.gz\n", mtime=0), "what it holds begins with 'crawl-data/"),
    ],
)
def test_a_file_that_is_no_archive_is_refused_by_name(
    body: bytes, told: str, files: list[Path], tmp_path: Path
) -> None:
    wrong = tmp_path / "c.warc.gz"
    wrong.write_bytes(body)
    with pytest.raises(CorpusError, match=rf"c\.warc\.gz: .*{told}.*: wanted a WARC or WET file"):
        make_corpus([*files, wrong], tmp_path / "out", RECIPE)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", ["local", "store"])
def test_every_reader_takes_the_release_as_it_is(files: list[Path], tmp_path: Path, layout: str) -> None:
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    datasets = pytest.importorskip("datasets")
    make_corpus(files, tmp_path / "out", RECIPE)
    if layout == "store":
        shard = tmp_path / "shard.parquet"
        pq.write_table(pq.read_table(tmp_path / "out").select(SCORED.names).cast(SCORED), shard)
        shutil.rmtree(tmp_path / "out")
        gather([shard], tmp_path / "out")
    where = str(tmp_path / "out" / "**" / "*.parquet")
    wanted = [("de", "all", 6), ("en", "all", 6)]
    query = "select lang, bucket, count(*) from read_parquet(?, hive_partitioning=true) group by all order by all"
    assert duckdb.execute(query, [where]).fetchall() == wanted
    lazy = polars.scan_parquet(where, hive_partitioning=True).group_by("lang", "bucket").len().sort("lang")
    assert lazy.collect().rows() == wanted
    table = ds.dataset(tmp_path / "out", partitioning="hive").to_table()
    assert set(table.column("lang").to_pylist()) == {"de", "en"}
    assert set(table.column("bucket").to_pylist()) == {"all"}
    loaded = datasets.load_dataset("parquet", data_files=where, cache_dir=str(tmp_path / "cache"))["train"]
    assert sorted(loaded["language"]) == ["de"] * 6 + ["en"] * 6


def test_a_minified_release_is_rebuilt_from_the_crawl(files: list[Path], tmp_path: Path) -> None:
    make_corpus(files, tmp_path / "out", RECIPE)
    minify_release(tmp_path / "out", tmp_path / "mini")
    assert "text" not in pq.read_table(tmp_path / "mini").column_names
    counts = reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "again")
    assert (counts["documents_in"], counts["documents_kept"]) == (12, 12)
    assert rows(tmp_path / "again") == rows(tmp_path / "out")


def test_a_page_that_changed_in_the_crawl_is_not_rebuilt_as_another_text(files: list[Path], tmp_path: Path) -> None:
    make_corpus(files, tmp_path / "out", RECIPE)
    minify_release(tmp_path / "out", tmp_path / "mini")
    data = gzip.decompress(files[0].read_bytes())
    changed = data.replace(b"WARC-Block-Digest", b"X-Block-Digest", 1)
    files[0].write_bytes(gzip.compress(changed))
    counts = reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "again")
    assert counts["documents_kept"] == 12  # the digest is computed where none is stated
    files[0].write_bytes(gzip.compress(b"".join(conversion(f"http://a.example/{n}", "other\ntext") for n in range(9))))
    counts = reproduce_release(tmp_path / "mini", lambda name: tmp_path / name, tmp_path / "third")
    assert (counts["documents_kept"], counts["dropped_not_in_crawl"]) == (6, 6)


def test_the_text_is_laid_out_as_the_public_cc_100(files: list[Path], tmp_path: Path) -> None:
    make_corpus(files, tmp_path / "out", RECIPE)
    assert export_statmt(tmp_path / "out", tmp_path / "text") == {"de": 6, "en": 6}
    documents = lzma.decompress((tmp_path / "text" / "en.txt.xz").read_bytes()).decode().split("\n\n")
    texts = [str(row["text"]) for row in rows(tmp_path / "out") if row["language"] == "en"]
    assert sorted(documents[:-1]) == sorted(texts)
    assert documents[-1] == ""


def test_a_text_of_accents_alone_has_no_perplexity_and_an_empty_one_is_not_identified(tmp_path: Path) -> None:
    from ccnet.language_model import train_language_model
    from embedded.written import reference_sentences
    from pipeline.tools import find_tool

    train_language_model(reference_sentences()["en"], tmp_path, lmplz=find_tool("lmplz"),
                         build_binary=find_tool("build_binary"), order=2, vocabulary_size=200)  # fmt: skip
    (tmp_path / "sp.model").rename(tmp_path / "ru.sp.model")
    (tmp_path / "arpa.bin").rename(tmp_path / "ru.arpa.bin")
    shared = sentence(WORDS["en"], *combination(1))
    pages = [
        "У лукоморья дуб зелёный; златая цепь на дубе том\n",
        f"{shared}\n\u0301\n",
        f"{shared}\n\n\n",
        f"{shared}\n",
    ]
    source = tmp_path / "x.warc.wet"
    source.write_bytes(b"".join(conversion(f"http://x.example/{n}", f"title\n{page}") for n, page in enumerate(pages)))
    recipe = Recipe(LANGUAGE_IDENTIFIER, models_in(tmp_path), {"ru": CutOffs(1, 2)}, min_characters=10, threshold=0.1)
    counts = make_corpus([source], tmp_path / "out", recipe)
    scored = [(row["language"], row["perplexity"] is None, row["bucket"]) for row in rows(tmp_path / "out")]
    assert scored == [("ru", False, "tail"), ("ru", True, "all")]
    assert counts["identify"]["dropped_empty"] == 1


def test_half_a_language_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.arpa.bin").touch()
    with pytest.raises(CorpusError, match=r"en\.arpa\.bin without en\.sp\.model"):
        models_in(tmp_path)


def test_cut_offs_are_read_from_both_kinds_of_table(tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text("language\tpercentile_30\tpercentile_60\nsw\t10\t20.5\n")
    assert read_cut_offs(tmp_path / "own.tsv") == {"sw": CutOffs(10, 20.5)}
    lines = ["", *(f"{n},{n * 10},{n * 100}" for n in range(101))]
    (tmp_path / "cutoff.csv").write_text("percentile,en,sw" + "\n".join(lines))
    assert read_cut_offs(tmp_path / "cutoff.csv") == {"en": CutOffs(300, 600), "sw": CutOffs(3000, 6000)}
    (tmp_path / "bad.tsv").write_text("a\tb\n")
    with pytest.raises(CorpusError, match="wanted columns language"):
        read_cut_offs(tmp_path / "bad.tsv")


@pytest.mark.slow
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="CCNet's answers are not on this machine")
@pytest.mark.parametrize("order", ["old", "new"])
def test_every_document_is_what_ccnet_made_of_it(tmp_path: Path, order: str) -> None:
    source = tmp_path / "crawl-data/CC-MAIN-2019-35/segments/1/wet/x.warc.wet.gz"
    source.parent.mkdir(parents=True)
    data = gzip.decompress((GOLDEN / "input.warc.wet.gz").read_bytes())
    newer = b"\r\nWARC-Identified-Content-Language: eng\r\nContent-Type: text/plain"
    if order == "new":
        data = data.replace(b"\r\nContent-Type: text/plain", newer)
    assert (newer in data) == (order == "new")
    source.write_bytes(data)
    make_corpus([source], tmp_path / "out", Recipe(LANGUAGE_IDENTIFIER, models_in(GOLDEN / "lm"), ccnet_cut_offs()))
    ours = {(row["url"], row["digest"]): row for row in rows(tmp_path / "out")}
    with gzip.open(GOLDEN / "expected.jsonl.gz", "rt") as file:
        expected = {(row["url"], row["digest"]): row for row in map(json.loads, file)}
    assert ours.keys() == expected.keys()
    for key, theirs in expected.items():
        row = ours[key]
        row |= {
            "raw_content_sha256": hashlib.sha256(str(row["text"]).encode()).hexdigest(),
            "date_download": row["date"],
        }
        assert {name: row[name] for name in theirs if name != "source_domain"} == {
            name: value for name, value in theirs.items() if name != "source_domain"
        }


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="CCNet's answers are not on this machine")
def test_our_table_of_cut_offs_is_ccnets() -> None:
    with (GOLDEN / "cutoffs.tsv").open() as file:
        theirs = {row["language"]: CutOffs(float(row["percentile_30"]), float(row["percentile_60"]))
                  for row in csv.DictReader(file, delimiter="\t")}  # fmt: skip
    assert ccnet_cut_offs() == theirs
