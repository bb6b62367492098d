"""A published release as its readers see it: languages, buckets, text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.stage import Inputs

STATISTICS = "statistics.json"


@dataclass(frozen=True)
class Release:
    """The Parquet files of one `publish` manifest in a local folder, and its statistics."""

    folder: Path
    statistics: dict[str, Any]

    @classmethod
    def open(cls, inputs: Inputs, target: Path, language: str | None = None) -> Release:
        """The release that came in; of one language only where a language is named."""
        manifest = inputs.one("publish")
        statistics = json.loads(inputs.path(manifest, STATISTICS).read_text(encoding="utf-8"))
        inputs.folder(manifest, target, "corpus/" if language is None else f"corpus/lang={language}/")
        return cls(target / "corpus", statistics)

    def files(self, language: str, buckets: Sequence[str]) -> list[Path]:
        folders = [self.folder / f"lang={language}" / f"bucket={bucket}" for bucket in buckets]
        return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.parquet"))]

    def texts(self, language: str, buckets: Sequence[str]) -> Iterator[str]:
        """The documents' texts, paragraphs joined by newlines."""
        from ccnet.shards import iterate_text

        yield from iterate_text(self.files(language, buckets))

    def characters(self, buckets: Sequence[str]) -> dict[str, int]:
        """language -> characters, of the languages that have any."""
        sums = {
            language: sum(row["characters"] for bucket, row in rows["buckets"].items() if bucket in buckets)
            for language, rows in sorted(self.statistics["languages"].items())
        }
        return {language: n for language, n in sums.items() if n}
