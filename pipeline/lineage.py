"""From a manifest back to the crawl's files: the hash tree that inputs make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.manifest import Manifest
from pipeline.store import ArtifactStore


@dataclass(frozen=True)
class Ancestor:
    """A manifest that another one was made from, and how far back it is."""

    manifest: Manifest
    depth: int
    seen: bool  # printed before: its own ancestors are not repeated


def trace(store: ArtifactStore, uri: str) -> Iterator[Ancestor]:
    """The manifest at `uri` and all it was made from, depth first; each subtree once."""
    loaded: dict[str, Manifest] = {}
    stack = [(store.key(uri), 0)]
    while stack:
        key, depth = stack.pop()
        seen = key in loaded
        manifest = loaded.setdefault(key, loaded.get(key) or store.manifest(key))
        yield Ancestor(manifest, depth, seen)
        if not seen:
            stack.extend((parent, depth + 1) for parent in sorted(manifest.inputs, reverse=True))


def sources(store: ArtifactStore, uri: str) -> list[str]:
    """The crawl files that a manifest goes back to, sorted."""
    fetched = (a.manifest for a in trace(store, uri) if a.manifest.stage == "fetch" and not a.seen)
    return sorted(artifact.name for manifest in fetched for artifact in manifest.artifacts)
