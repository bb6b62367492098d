"""Filters beyond CCNet's: each reason alone, signals in any script, masks that leave other text as it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ccnet.document import CorpusError
from ccnet.filters import Filters, filter_shard, read_filters
from ccnet.shards import SCORED
from ccnet.signals import signals

CLEAN = "The river runs past the old mill.\nA boat waits for the last guests of the year."


def shard(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Documents of (url, language, text)."""
    found = [
        {"url": url, "language": language, "text": text, "length": len(text), "nlines": text.count("\n") + 1,
         "line_ids": list(range(text.count("\n") + 1)), "language_score": 0.9, "perplexity": 100.0, "bucket": "head"}
        for url, language, text in rows
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(found, schema=SCORED), folder / "in.parquet")
    return folder / "in.parquet"


def test_each_reason_is_counted_and_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "blocked-urls.txt").write_text("# of our own\nbad.example\nhttps://mixed.example/ads/\n")
    (tmp_path / "boilerplate.txt").write_text("(?i)accept (all )?cookies\n")
    (tmp_path / "thresholds.tsv").write_text("*\tsymbol_ratio\t\t0.2\nsw\tlength\t1000\t\n*\trepeated_ngrams\t\t0.5\n")
    documents = shard(
        tmp_path,
        ("http://good.example/", "en", f"Please accept all cookies\n{CLEAN}"),
        ("http://www.bad.example/x", "en", CLEAN),
        ("http://notbad.example/", "en", CLEAN),
        ("http://mixed.example/ads/1", "en", CLEAN),
        ("http://mixed.example/news", "en", CLEAN),
        ("http://a.example/", "en", "<<< *** ||| >>> ### $$$ text"),
        ("http://b.example/", "sw", CLEAN),
        ("http://c.example/", "en", "buy it now right here " * 20),
        ("http://d.example/", "en", "Accept cookies"),
    )
    counts = filter_shard(documents, read_filters(tmp_path), tmp_path / "out.parquet", tmp_path / "gone.parquet")
    kept, gone = (pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("out", "gone"))
    assert [row["url"] for row in kept] == [
        "http://good.example/",
        "http://notbad.example/",
        "http://mixed.example/news",
    ]
    assert (kept[0]["text"], kept[0]["line_ids"], kept[0]["nlines"]) == (CLEAN, [1, 2], 2)
    reasons = ["blocked_url", "blocked_url", "symbol_ratio", "length", "repeated_ngrams", "only_boilerplate"]
    assert [row["reason"] for row in gone] == reasons
    assert counts["dropped_blocked_url"] == 2
    assert counts["documents_in"] == counts["documents_kept"] + len(gone) == 9


def test_contacts_are_masked_and_numbers_that_are_none_are_not(tmp_path: Path) -> None:
    no_contacts = "Version 1.2.3.4.5, 3.14, 300.1.1.1, a@b"
    text = f"Write to jane.doe+x@mail.example.org from 192.168.0.17, or 2001:db8:0:0:0:ff00:42:8329.\n{no_contacts}"
    filter_shard(shard(tmp_path, ("u", "en", text)), Filters(mask=("email", "ip")), tmp_path / "out.parquet")
    [row] = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert row["text"] == f"Write to <EMAIL> from <IP>, or <IP>.\n{no_contacts}"
    assert row["length"] == len(row["text"])


def test_signals_hold_in_scripts_without_spaces_or_latin_marks() -> None:
    thai = signals("แม่น้ำไหลผ่านโรงสีเก่า", "th")
    assert thai["words"] == 22
    assert thai["symbol_ratio"] == thai["repeated_ngrams"] == 0
    hindi = signals("नदी पुरानी चक्की के पास बहती है।\nघर 24", "hi")
    assert (hindi["words"], hindi["ended_lines"]) == (9, 0.5)
    assert hindi["symbol_ratio"] == pytest.approx(1 / 38, abs=0.002)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("thresholds.tsv", "*\tsymbols\t\t0.2\n", "line 1: .*no column 'symbols'"),
        ("thresholds.tsv", "# x\nen\tlength\tmany\t\n", "line 2: .*could not convert"),
        ("boilerplate.txt", "(open\n", "line 1: '\\(open': .*wanted a regular expression"),
        ("other.txt", "", "holds none of blocked-urls.txt"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=told):
        read_filters(tmp_path)
