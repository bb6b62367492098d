"""Clean text by language for the language models, from other documents than the crawl: GNOME's user help."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ccnet.languages import LANGUAGES
from embedded.debian import Archive

log = logging.getLogger(__name__)

PACKAGE = "gnome-user-docs"
# GNOME's names of locales that are not CC-100's codes.
CODES = {"C": "en", "pt_BR": "pt", "zh_CN": "zh-Hans", "zh_TW": "zh-Hant", "zh_HK": "zh-Hant", "nb": "no"}
SENTENCE_TAGS = ("p", "title", "desc")
MIN_CHARACTERS = 40
MIN_LANGUAGE_CHARACTERS = 100_000


def make_debian_reference(folder: Path) -> Path:
    """LANG.txt.gz, one paragraph a line, of every language that GNOME's help is written in.  Raises AptUnavailable."""
    if (folder / ".made").exists():
        return folder
    log.info("fetching reference text: %s", PACKAGE)
    root = Archive(folder.parent / "apt").unpack([PACKAGE], folder.parent / "gnome") / "usr/share/help"
    english = set(_paragraphs(root / "C"))
    texts: dict[str, list[str]] = {"en": sorted(english)}
    for place in sorted(path for path in root.iterdir() if path.name != "C"):
        code = CODES.get(place.name, place.name)
        if code in LANGUAGES:  # what was not translated stands there in English
            texts.setdefault(code, []).extend(line for line in _paragraphs(place) if line not in english)
    kept = {code: lines for code, lines in texts.items() if sum(map(len, lines)) >= MIN_LANGUAGE_CHARACTERS}
    return _write(folder, kept)


def make_small_reference(folder: Path) -> Path:
    """LANG.txt.gz of sentences written for the tests, others than the small crawl's."""
    from embedded.written import reference_sentences

    return folder if (folder / ".made").exists() else _write(folder, reference_sentences())


def _paragraphs(place: Path) -> Iterator[str]:
    """Paragraphs of Mallard pages, tags left out, in a stable order, each once."""
    seen = set()
    for path in sorted(place.rglob("*.page")):
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            log.warning("%s: %s: left out", path.name, error)
            continue
        for element in root.iter():
            if str(element.tag).rpartition("}")[2] in SENTENCE_TAGS:
                line = " ".join("".join(element.itertext()).split())
                if len(line) >= MIN_CHARACTERS and line not in seen:
                    seen.add(line)
                    yield line


def _write(folder: Path, texts: Mapping[str, Iterable[str]]) -> Path:
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for code, lines in texts.items():
        data = "".join(f"{line}\n" for line in lines).encode()
        (aside / f"{code}.txt.gz").write_bytes(gzip.compress(data, mtime=0))
    (aside / ".made").touch()
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
    return folder
