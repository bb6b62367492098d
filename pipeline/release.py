"""A published release as its readers see it: the files of a part, and how much text each language has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.manifest import Manifest
from pipeline.stage import Inputs
from pipeline.statistics import STATISTICS


def release_statistics(inputs: Inputs) -> dict[str, Any]:
    """The statistics of the `publish` manifest that came in."""
    found: dict[str, Any] = json.loads(inputs.path(inputs.one("publish"), STATISTICS).read_text(encoding="utf-8"))
    return found


def characters_of(statistics: dict[str, Any], buckets: Sequence[str]) -> dict[str, int]:
    """language -> characters in these buckets, of the languages that have any."""
    sums = {
        language: sum(row["characters"] for bucket, row in rows["buckets"].items() if bucket in buckets)
        for language, rows in sorted(statistics["languages"].items())
    }
    return {language: n for language, n in sums.items() if n}


def texts_of_part(inputs: Inputs, manifest: Manifest, buckets: Sequence[str]) -> Iterator[str]:
    """The documents' texts in a `regroup` manifest, paragraphs joined by newlines."""
    from ccnet.shards import iterate_text

    yield from iterate_text(_files(inputs, manifest, buckets))


def _files(inputs: Inputs, manifest: Manifest, buckets: Sequence[str]) -> list[Path]:
    names = sorted(artifact.name for artifact in manifest.artifacts)
    return [inputs.path(manifest, name) for bucket in buckets for name in names if f"/bucket={bucket}/" in name]
