"""Metrics of a run that trains, and TensorBoard's events, in the store while it goes on and afterwards.

These files say how fast the machine was, so they are no artifacts: metrics/pretrain/NAME-FINGERPRINT/, replaced as they
grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.run_folder import EVENTS, Mark, RunFolder
from pipeline.store import ArtifactStore

FOLDER = "metrics"
# One name for the event file, whatever attempt wrote it: TensorBoard would show an update twice.
EVENT_FILE = "events.out.tfevents.live"
EVERY_S = 60.0
MAX_SHARE = 0.05  # of the time that may go into sending: large files are sent less often


class LiveMetrics:
    """Sends the growing files of a run's folder, as they are now, at most every minute."""

    def __init__(
        self, store: ArtifactStore, prefix: str, folder: RunFolder, clock: Callable[[], float] = time.monotonic
    ) -> None:
        stage, unit, fingerprint = parse_key(f"{prefix}/{MANIFEST_NAME}")
        self.prefix = f"{FOLDER}/{stage}/{unit}-{fingerprint[:8]}"
        self.store, self.folder, self.clock = store, folder, clock
        self._next = clock() + EVERY_S
        self._sent: dict[str, Mark] = {}

    def publish(self, *, at_once: bool = False) -> None:
        began = self.clock()
        if began < self._next and not at_once:
            return
        for name, mark in self.folder.growing().items():
            if self._sent.get(name) != mark:
                target = EVENT_FILE if name.startswith(f"{EVENTS}/") else name
                self.store.put(f"{self.prefix}/{target}", self.folder.read(name))
                self._sent[name] = mark
        self._next = self.clock() + max(EVERY_S, (self.clock() - began) / MAX_SHARE)
