"""A release as the public CC-100 is laid out (data.statmt.org): LANG.txt.xz, a paragraph a line, a blank line between
documents."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from ccnet.document import CorpusError
from ccnet.minify import open_part
from ccnet.release import bucket_of, language_of, release_parts
from ccnet.shards import BATCH_DOCUMENTS


def export_statmt(release: Path, target: Path, buckets: Collection[str] = (), preset: int = 6) -> Counter[str]:
    """Write one file a language, which appears when it is whole; returns documents by language.  No bucket: all.
    Raises CorpusError.

    Empty lines inside a document are left out, since they would end it.
    """
    by_language: dict[str, list[Path]] = {}
    for part in release_parts(release):
        open_part(part).close()  # before anything is written
        by_language.setdefault(language_of(part), []).append(part)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{target}: {error.strerror}: wanted a folder that can be made there") from error
    counts: Counter[str] = Counter()
    for language, parts in sorted(by_language.items()):
        place = target / f"{language}.txt.xz"
        aside = place.with_name(f".{place.name}.part")
        with lzma.open(aside, "wt", encoding="utf-8", newline="\n", preset=preset) as file:
            for text in _texts(parts, buckets):
                file.write("\n".join(line for line in text.split("\n") if line.strip()) + "\n\n")
                counts[language] += 1
        if counts[language]:
            aside.rename(place)
        else:
            aside.unlink()
    if not counts:
        raise CorpusError(f"{release}: no document in the buckets {', '.join(sorted(buckets)) or 'of any name'}")
    return counts


def _texts(parts: list[Path], buckets: Collection[str]) -> Iterator[str]:
    for part in parts:
        if not buckets or bucket_of(part) in buckets:
            with open_part(part) as file:
                for batch in file.iter_batches(BATCH_DOCUMENTS, columns=["text"]):
                    yield from batch.column("text").to_pylist()
