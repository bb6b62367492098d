"""Naming and scoring by paragraph: a page in two languages gives a document of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ccnet.document import Document
from ccnet.identify import LanguageIdentifier, identify_shard
from ccnet.perplexity import CutOffs, score_shard
from ccnet.shards import write_documents
from embedded.sentences import WORDS, combination, sentence
from pipeline.tools import LANGUAGE_IDENTIFIER

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")


def page(number: int) -> Document:
    """English, then German, then English again."""
    lines = [" ".join(sentence(WORDS[code], *combination(3 * number + n)) for n in range(3)) for code in ("en", "de")]
    text = "\n".join([lines[0], lines[1], f"{lines[0]} Yes."])
    return Document(f"http://a.example/{number}", "2019", "", "", text, "s", len(text), 3)


def test_a_page_in_two_languages_becomes_a_document_of_each(tmp_path: Path) -> None:
    write_documents([page(number) for number in range(700)], tmp_path / "in.parquet")  # pages straddle the batches
    identifier = LanguageIdentifier(LANGUAGE_IDENTIFIER)
    named = identify_shard(
        tmp_path / "in.parquet", identifier, tmp_path / "named", languages=("en", "de"), paragraphs=True
    )
    assert named["documents_in"] == 2100
    rows = []
    for code in ("en", "de"):
        out = tmp_path / f"{code}.parquet"
        counts = score_shard(tmp_path / "named" / f"{code}.parquet", {}, {}, out, paragraphs=True)
        found = pq.read_table(out).to_pylist()
        assert counts["documents_written"] == len(found)
        rows += found
    german = [row for row in rows if row["language"] == "de"]
    english = {row["url"]: row for row in rows if row["language"] == "en"}
    assert len(german) == len({row["url"] for row in german}) > 650
    assert all(row["line_ids"] == [1] for row in german)
    assert sum(row["line_ids"] == [0, 2] for row in english.values()) > 500
    for row in rows:
        assert row["text"] == "\n".join(
            page(int(row["url"].rsplit("/", 1)[1])).text.split("\n")[i] for i in row["line_ids"]
        )
        assert (row["length"], row["nlines"]) == (len(row["text"]), len(row["line_ids"]))


def test_paragraphs_of_one_page_part_by_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        def __init__(self, *_: object) -> None:
            pass

        def score(self, batch: object) -> list[float]:
            return [10.0 if len(text) < 8 else 90.0 for text in batch.column("text").to_pylist()]  # type: ignore[attr-defined]

    class English(LanguageIdentifier):
        def __init__(self) -> None:
            pass

        def identify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
            return [("en", 0.9 if len(text) < 8 else 0.7) for text in texts]

    monkeypatch.setattr("ccnet.perplexity.LanguageModels", Stub)
    write_documents([Document("u", "", "", "", "short\na longer line\ntiny", "s", 9, 3)], tmp_path / "in.parquet")
    identify_shard(tmp_path / "in.parquet", English(), tmp_path / "named", paragraphs=True)
    named = tmp_path / "named" / "en.parquet"
    score_shard(named, {}, {"en": CutOffs(50, 80)}, tmp_path / "out.parquet", paragraphs=True)
    found = [(row["bucket"], row["text"], row["line_ids"], row["perplexity"], row["language_score"])
             for row in pq.read_table(tmp_path / "out.parquet").to_pylist()]  # fmt: skip
    assert found == [("head", "short\ntiny", [0, 2], 10.0, 0.9), ("tail", "a longer line", [1], 90.0, 0.7)]
