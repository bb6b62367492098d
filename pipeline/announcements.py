"""Milestones of trainings that go on, each told once to what waits for new checkpoints."""

from __future__ import annotations

from pipeline.current import current_or_none, names
from pipeline.errors import MissingArtifact
from pipeline.store import ArtifactStore

FOLDER = "announced"


def new_milestones(store: ArtifactStore) -> dict[str, str]:
    """name -> key of the milestones (NAME@UPDATE) that were made, or made again, since they were announced."""
    found = {name: current_or_none(store, "checkpoint", name) for name in names(store, "checkpoint") if "@" in name}
    return {name: key for name, key in found.items() if key and _announced(store, name) != key}


def announce(store: ArtifactStore, milestones: dict[str, str]) -> None:
    for name, key in milestones.items():
        store.put(f"{FOLDER}/{name}", key.encode())


def _announced(store: ArtifactStore, name: str) -> str:
    try:
        return store.get(f"{FOLDER}/{name}").decode()
    except MissingArtifact:
        return ""
