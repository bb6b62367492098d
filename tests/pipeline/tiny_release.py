"""A release of a few hundred short texts in a store, as `regroup` and `publish` would have left it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.current import set_current
from pipeline.manifest import Artifact, Manifest
from pipeline.statistics import STATISTICS
from pipeline.store import ArtifactStore, sha256_of

PLACES = ("market", "garden", "village", "school", "river", "station")
TEXTS = {
    "en": [f"The {a} {b} was seen near the {c}." for a in ("old", "red", "small", "quiet", "long", "warm")
           for b in ("house", "bird", "train", "song", "horse", "friend") for c in PLACES],
    "de": [f"Das {a} {b} steht hinter dem {c}." for a in ("alte", "rote", "kleine", "stille", "lange", "warme")
           for b in ("Haus", "Pferd", "Lied", "Boot", "Dorf", "Kind") for c in ("Markt", "Garten", "Fluss", "Bahnhof")],
    "sw": [f"{a} {b} {c} kila siku." for a in ("Mwalimu", "Daktari", "Mkulima", "Mpishi", "Mwanafunzi")
           for b in ("anasoma", "anaimba", "anapika", "anatembea") for c in ("sokoni", "jikoni", "kijijini", "shuleni",
                                                                             "nyumbani", "mtoni")],
}  # fmt: skip


def put(store: ArtifactStore, stage: str, unit: str, files: Mapping[str, Path], inputs: Sequence[str] = ()) -> str:
    """The key of a manifest with these files, as the stage would have left it."""
    mark = "0123456789abcdef"
    artifacts = []
    for name, path in files.items():
        key = f"{stage}/{unit}/{mark}/a/{name}"
        artifacts.append(Artifact(name=name, key=key, size_bytes=path.stat().st_size, sha256=sha256_of(path)))
        store.upload(path, key)
    manifest = Manifest(
        stage=stage, version=1, unit=unit, fingerprint=mark, config={}, inputs=tuple(inputs), counts={},
        artifacts=tuple(artifacts), seconds=0, attempt="a", written_at="", code_version="", library_versions={},
    )  # fmt: skip
    assert store.put_if_absent(manifest.key, manifest.to_json())
    return manifest.key


def make_release(store: ArtifactStore, name: str, languages: Sequence[str], folder: Path) -> str:
    """The key of the release, which is the current one of its name."""
    folder.mkdir(parents=True)
    parts, statistics = [], {}
    for language in languages:
        path = folder / f"{language}.parquet"
        pq.write_table(pa.table({"text": TEXTS[language]}), path)
        artifact = f"corpus/lang={language}/bucket=all/part-00000-00000.parquet"
        parts.append(put(store, "regroup", f"{language}/00000-of-00001", {artifact: path}))
        characters = sum(map(len, TEXTS[language]))
        documents = len(TEXTS[language])
        amounts = {"documents": documents, "paragraphs": documents, "characters": characters, "bytes": characters}
        statistics[language] = {"buckets": {"all": amounts}}
    told = folder / STATISTICS
    told.write_text(json.dumps({"languages": statistics}))
    key = put(store, "publish", name, {STATISTICS: told}, parts)
    set_current(store, "release", name, key)
    return key
