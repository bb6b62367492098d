"""Reference text from CirrusSearch dumps, over HTTP from a server with the dumps' own listing and layout."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ccnet.crawl import CrawlSource, PermanentCrawlError
from ccnet.document import CorpusError
from ccnet.wikipedia import find_dump, make_reference, wikis


def write_dump(root: Path, wiki: str, date: str, articles: list[dict[str, object]]) -> None:
    lines = [line for article in articles for line in ({"index": {"_id": "1"}}, {"namespace": 0} | article)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path = root / date / f"{wiki}wiki-{date}-cirrussearch-content.json.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "dumps"
    (root / "current").mkdir(parents=True)
    (root / "20260803").mkdir()  # begun, nothing in it yet
    opening = {"opening_text": "Mto ni maji\nyanayotiririka.", "text": "Mto ni maji yanayotiririka. Mengi zaidi."}
    write_dump(root, "sw", "20260720", [opening, {"opening_text": None}, {"namespace": 1, "opening_text": "Talk"}])
    write_dump(root, "sw", "20260713", [{"opening_text": "old"}])
    write_dump(root, "zh", "20260720", [{"opening_text": "我们说这个问题"}, {"opening_text": "我們說這個問題"}])

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def make(base: str, wiki: str, codes: list[str], folder: Path, field: str = "opening_text", most: int = 10) -> object:
    return make_reference(CrawlSource(base), wiki, codes, folder, field=field, max_articles=most)  # type: ignore[arg-type]


def test_the_newest_dump_that_lists_the_file_is_taken(base: str, tmp_path: Path) -> None:
    assert find_dump(CrawlSource(base), "sw") == "20260720/swwiki-20260720-cirrussearch-content.json.gz"
    assert make(base, "sw", ["sw"], tmp_path / "out") == {"sw": 1}
    assert lines(tmp_path / "out" / "sw.txt.gz") == ["Mto ni maji yanayotiririka."]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sw.txt.gz"]


def test_whole_text_is_a_choice_and_what_is_there_stays(base: str, tmp_path: Path) -> None:
    make(base, "sw", ["sw"], tmp_path, field="text")
    assert lines(tmp_path / "sw.txt.gz") == ["Mto ni maji yanayotiririka. Mengi zaidi."]
    assert make(base, "sw", ["sw"], tmp_path) == {}
    assert lines(tmp_path / "sw.txt.gz") == ["Mto ni maji yanayotiririka. Mengi zaidi."]


def test_chinese_articles_part_by_script(base: str, tmp_path: Path) -> None:
    assert wikis(["zh-Hant", "sw", "zh-Hans"]) == {"sw": ["sw"], "zh": ["zh-Hans", "zh-Hant"]}
    make(base, "zh", ["zh-Hans", "zh-Hant"], tmp_path)
    assert lines(tmp_path / "zh-Hans.txt.gz") == ["我们说这个问题"]
    assert lines(tmp_path / "zh-Hant.txt.gz") == ["我們說這個問題"]


def test_a_wiki_without_a_dump_and_a_code_without_a_wiki_are_told(base: str) -> None:
    with pytest.raises(CorpusError, match="20260713 to 20260803: none lists xxwiki"):
        find_dump(CrawlSource(base), "xx")
    with pytest.raises(CorpusError, match="'ur_rom' has no Wikipedia"):
        wikis(["ur_rom"])


def test_a_dump_that_is_no_json_leaves_nothing_and_is_told(base: str, tmp_path: Path) -> None:
    bad = tmp_path / "dumps" / "20260803" / "loliwiki-20260803-cirrussearch-content.json.gz"
    bad.write_bytes(gzip.compress(b"<html>sorry</html>\n"))
    with pytest.raises(PermanentCrawlError, match="wanted JSON, an article a line"):
        make(base, "loli", ["lo"], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.gz"))
