"""Which dump, release or language a request names."""

from __future__ import annotations

from collections.abc import Callable

from ccnet.languages import LANGUAGES
from pipeline.errors import MissingArtifact
from pipeline.statistics import Corpus, Kind, StatisticsReader

Readers = Callable[[], StatisticsReader]


def chosen(reader: StatisticsReader, kind: Kind, name: str, version: str) -> Corpus:
    """The newest of the name, or the version asked for.  Raises MissingArtifact."""
    return reader.corpus(kind, name, version)


def known_language(reader: StatisticsReader, corpus: Corpus, code: str) -> str:
    """A code that CC-100 or the corpus has.  Raises MissingArtifact."""
    if code not in LANGUAGES and code not in reader.statistics(corpus)["languages"]:
        raise MissingArtifact(f"{code}: no language of that code: wanted one such as en, sw or zh-Hans")
    return code
