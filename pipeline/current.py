"""Which manifest a name stands for now: the newest run of a dump, a release, a vocabulary, a checkpoint.

A run names what it builds on (the release cc100); the pointer current/KIND/NAME.json says which manifest that is.
Manifests never change; a pointer is replaced whenever its unit is run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.store import ArtifactStore

FOLDER = "current"
# kind of pointer -> how a person makes what it points to
KINDS = {
    "classifier": "xlmr language-models, or the DAG xlmr_language_models",
    "language_model": "xlmr language-models, or the DAG xlmr_language_models",
    "dump": "xlmr corpus --set crawl={name}, or the DAG xlmr_corpus",
    "release": "xlmr release --set release={name}, or the DAG xlmr_release",
    "vocabulary": "xlmr vocabulary, or the DAG xlmr_vocabulary",
    "checkpoint": "xlmr pretrain, or the DAG xlmr_pretrain",
}


def set_current(store: ArtifactStore, kind: str, name: str, key: str) -> None:
    if current_or_none(store, kind, name) != key:
        store.put(_place(kind, name), json.dumps({"manifest": key}).encode() + b"\n")


def current(store: ArtifactStore, kind: str, name: str) -> str:
    """The manifest's key.  Raises MissingArtifact with what makes it."""
    found = current_or_none(store, kind, name)
    if found is None:
        how = KINDS[kind].format(name=name)
        raise MissingArtifact(f"no {kind.replace('_', ' ')} {name!r} in {store.root}: make it with {how}")
    return found


def current_or_none(store: ArtifactStore, kind: str, name: str) -> str | None:
    place = _place(kind, name)
    try:
        found = json.loads(store.get(place))["manifest"]
    except MissingArtifact:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(
            f"{store.uri(place)}: no pointer to a manifest ({error}): delete it, run again"
        ) from error
    return str(found)


def names(store: ArtifactStore, kind: str) -> Iterator[str]:
    """The names of a kind that there are, sorted."""
    start = f"{FOLDER}/{kind}/"
    return (key.removeprefix(start).removesuffix(".json") for key in store.list(start) if key.endswith(".json"))


def _place(kind: str, name: str) -> str:
    return f"{FOLDER}/{kind}/{name}.json"
