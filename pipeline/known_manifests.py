"""What readers that look again and again know of a store's manifests: each is read once, since none changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from pipeline.errors import CorruptArtifact, MissingArtifact
from pipeline.manifest import MANIFEST_NAME, Manifest
from pipeline.store import ArtifactStore

log = logging.getLogger(__name__)

LIST_AGAIN_S = 10.0  # a store is listed no more often
READERS = 16  # manifests read at a time: of S3 each takes tens of milliseconds


Kept = TypeVar("Kept")


class KnownManifests(Generic[Kept]):
    """`keep` makes of a manifest what is remembered of it; a KeyError of it passes the manifest over.

    Threads may share one.
    """

    def __init__(
        self,
        store: ArtifactStore,
        keep: Callable[[Manifest], Kept],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keep = keep
        self._clock = clock
        self._known: dict[str, tuple[str, Kept] | None] = {}  # key -> when it was written, or None: cannot be read
        self._listed: dict[str, tuple[float, tuple[Kept, ...]]] = {}
        self._lock = Lock()

    def of(self, stage: str) -> tuple[Kept, ...]:
        """All of a stage, the newest first.  One that cannot be read does not hide the others."""
        with self._lock:
            listed_at, found = self._listed.get(stage, (float("-inf"), ()))
            if self._clock() - listed_at >= LIST_AGAIN_S:
                found = self._list(stage)
                self._listed[stage] = self._clock(), found
            return found

    def named(self, key: str) -> Kept | None:
        """One by its key; None where it is not there or cannot be read."""
        return self.named_all((key,)).get(key)

    def named_all(self, keys: Iterable[str]) -> dict[str, Kept]:
        """Those of these keys that are there and can be read, by key."""
        wanted = list(dict.fromkeys(keys))
        with self._lock:
            self._read_all([key for key in wanted if self._known.get(key) is None])
            return {key: known[1] for key in wanted if (known := self._known[key])}

    def _list(self, stage: str) -> tuple[Kept, ...]:
        keys = [key for key in self._store.list(f"{stage}/") if key.endswith(f"/{MANIFEST_NAME}")]
        self._read_all([key for key in keys if key not in self._known])
        for gone in {key for key in self._known if key.startswith(f"{stage}/")} - set(keys):
            del self._known[gone]
        found = [(known, key) for key in keys if (known := self._known[key])]
        found.sort(key=lambda each: (each[0][0], each[1]), reverse=True)
        return tuple(kept for (_, kept), _ in found)

    def _read_all(self, keys: Sequence[str]) -> None:
        if keys:
            with ThreadPoolExecutor(READERS) as pool:
                self._known.update(zip(keys, pool.map(self._read, keys), strict=True))

    def _read(self, key: str) -> tuple[str, Kept] | None:
        try:
            manifest = self._store.manifest(key)
            return manifest.written_at, self._keep(manifest)
        except (KeyError, ValueError, MissingArtifact, CorruptArtifact) as error:
            log.warning("%s: passed over: %s", self._store.uri(key), " ".join(str(error).split())[:200])
            return None
