"""Reference text from Wikipedia's CirrusSearch dumps, what CCNet's language models are trained on.

Layout: BASE/DATE/CODEwiki-DATE-cirrussearch-content.json.gz, an index line before each article's JSON.  Dumps come
and go, so the newest dated folder that lists the file is taken (CCNet took the oldest, and breaks when it goes).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from ccnet.crawl import CrawlSource, PermanentCrawlError
from ccnet.document import CorpusError
from ccnet.languages import LANGUAGES
from ccnet.scripts import code_by_script

WIKIPEDIA = "https://dumps.wikimedia.org/other/cirrussearch/"
WIKIS = {"zh-Hans": "zh", "zh-Hant": "zh", "ns": "nso"}  # the others are called as the language
ARTICLES = 0  # the namespace
Field = Literal["opening_text", "text"]


def wikis(languages: Collection[str]) -> dict[str, list[str]]:
    """wiki -> the codes that come from it; romanised and Zawgyi codes have none.  Raises CorpusError."""
    found: dict[str, list[str]] = {}
    for code in sorted(languages):
        if code not in LANGUAGES or "_" in code:
            raise CorpusError(f"{code!r} has no Wikipedia here: wanted codes such as en, sw, zh-Hans")
        found.setdefault(WIKIS.get(code, code), []).append(code)
    return found


def find_dump(source: CrawlSource, wiki: str) -> str:
    """The newest dump of a wiki, from the listings: DATE/NAME.  Raises CorpusError."""
    dates = sorted(set(re.findall(r'href="(?:[^"]*/)?(\d{8})/"', source.read("").decode("utf-8", "replace"))))
    for date in reversed(dates):
        name = f"{wiki}wiki-{date}-cirrussearch-content.json.gz"
        if f'{name}"' in source.read(f"{date}/").decode("utf-8", "replace"):
            return f"{date}/{name}"
    listed = f"{dates[0]} to {dates[-1]}" if dates else "no dated folder"
    raise CorpusError(f"{source.base}: {listed}: none lists {wiki}wiki: check the base and the language")


def read_articles(dump: Path, field: Field) -> Iterator[str]:
    """The text of each article on one line; empty ones and other namespaces are passed over."""
    with gzip.open(dump, "rt", encoding="utf-8") as lines:
        for line in lines:
            article = json.loads(line)
            if "index" not in article and article.get("namespace") == ARTICLES:
                text = " ".join((article.get(field) or "").split())
                if text:
                    yield text


def make_reference(
    source: CrawlSource, wiki: str, codes: Collection[str], folder: Path, *, field: Field, max_articles: int
) -> Counter[str]:
    """Write CODE.txt.gz, an article a line, of the codes that are not there; returns articles by code.

    Raises CorpusError, or what fetching raises.
    """
    missing = [code for code in codes if not (folder / f"{code}.txt.gz").exists()]
    counts: Counter[str] = Counter()
    if not missing:
        return counts
    path = find_dump(source, wiki)
    scratch = folder / f".{wiki}wiki"  # what came of the dump outlives a kill
    scratch.mkdir(parents=True, exist_ok=True)
    dump = scratch / path.rsplit("/", 1)[1]
    if not dump.exists():
        source.fetch(path, dump)
    files = {code: gzip.GzipFile(scratch / f"{code}.txt.gz", "wb", mtime=0) for code in missing}
    try:
        for text in read_articles(dump, field):
            code = code_by_script(wiki, text, codes)
            if code in files and counts[code] < max_articles:
                files[code].write(f"{text}\n".encode())
                counts[code] += 1
            if all(counts[code] >= max_articles for code in missing):
                break
    except (ValueError, AttributeError, TypeError) as error:
        dump.unlink()
        raise PermanentCrawlError(f"{source.base}{path}: {error}: wanted JSON, an article a line") from error
    finally:
        for file in files.values():
            file.close()
    for code in missing:
        os.replace(scratch / f"{code}.txt.gz", folder / f"{code}.txt.gz")
    shutil.rmtree(scratch)
    return counts
