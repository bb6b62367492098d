"""A release as the public CC-100 is laid out (data.statmt.org): LANG.txt.xz, a paragraph a line, a blank line between
documents."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from ccnet.release import bucket_of, language_of, release_parts
from ccnet.shards import read_batches


def export_statmt(release: Path, target: Path, buckets: Collection[str] = (), preset: int = 6) -> Counter[str]:
    """Write one file a language, which appears when it is whole; returns documents by language.  No bucket: all.

    Empty lines inside a document are left out, since they would end it.
    """
    by_language: dict[str, list[Path]] = {}
    for part in release_parts(release):
        by_language.setdefault(language_of(part), []).append(part)
    target.mkdir(parents=True, exist_ok=True)
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
    return counts


def _texts(parts: list[Path], buckets: Collection[str]) -> Iterator[str]:
    for part in parts:
        if not buckets or bucket_of(part) in buckets:
            for batch in read_batches(part, ["text"]):
                yield from batch.column("text").to_pylist()
