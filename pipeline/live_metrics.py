"""Metrics of a run that trains, and TensorBoard's events, in the store while it goes on and afterwards.

These files say how fast the machine was, so they are no artifacts: metrics/pretrain/NAME-FINGERPRINT/, replaced as they
grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.store import ArtifactStore

FOLDER = "metrics"
EVERY_S = 60.0
MAX_SHARE = 0.05  # of the time that may go into sending: large files are sent less often


class LiveMetrics:
    """Sends `files` and what is in the folder `events`, as they are now, at most every minute."""

    def __init__(
        self,
        store: ArtifactStore,
        prefix: str,
        files: Sequence[Path],
        events: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        stage, unit, fingerprint = parse_key(f"{prefix}/{MANIFEST_NAME}")
        self.prefix = f"{FOLDER}/{stage}/{unit}-{fingerprint[:8]}"
        self.store, self.files, self.events, self.clock = store, files, events, clock
        self._next = clock() + EVERY_S
        self._sent: dict[Path, int] = {}  # modification time, ns

    def publish(self, *, at_once: bool = False) -> None:
        began = self.clock()
        if began < self._next and not at_once:
            return
        events = sorted(path for path in self.events.iterdir() if path.is_file())
        # One name for the event file, whatever attempt wrote it: TensorBoard would show an update twice.
        named = {path: path.name for path in self.files} | {path: "events.out.tfevents.live" for path in events[-1:]}
        for path, name in named.items():
            if path.exists() and self._sent.get(path) != (changed := path.stat().st_mtime_ns):
                self.store.put(f"{self.prefix}/{name}", path.read_bytes())
                self._sent[path] = changed
        self._next = self.clock() + max(EVERY_S, (self.clock() - began) / MAX_SHARE)
