"""The run's folder kept in an object store, where no disk outlives the machine: the first process sends and brings.

A checkpoint is there once its marker is, which is sent last, after the lines of metrics that belong to it.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from training.checkpoint import MARKER, is_whole
from training.events import EVENT_FILES
from training.storage import Folder

log = logging.getLogger(__name__)

CHECKPOINTS, PROGRESS = "checkpoints", "progress.json"
LINES = ("metrics.jsonl", "validation.jsonl")
SUMMARY = "summary.json"
MILESTONES = "milestones"
EVENTS = "events"
EVENT_FILE = "events.out.tfevents.live"  # one name, whatever attempt and machine wrote it
TELL_EVERY_S = 5.0
LINES_EVERY_S = 60.0
MAX_SHARE = 0.05  # of the time that may go into sending lines: long files are sent less often


class KeptRun:
    """`output` is the run's folder on this machine, `folder` where it is kept."""

    def __init__(self, output: Path, folder: Folder) -> None:
        self.output, self.folder = output, folder
        self._thread = ThreadPoolExecutor(1, "progress")
        self._told: Future[None] | None = None
        self._next = 0.0
        self._next_lines = time.monotonic() + LINES_EVERY_S
        self._lines = threading.Lock()  # an older copy of a file must not be sent after a newer one

    def bring(self) -> None:
        """The newest kept checkpoint that reads whole, unless this machine's is as new; with its lines of metrics."""
        here = self.output / CHECKPOINTS
        local = {path.name for path in here.glob("step-*") if is_whole(path)} if here.is_dir() else set()
        for name in self._checkpoints():
            if local and name <= max(local):
                return
            target = here / name
            shutil.rmtree(target, ignore_errors=True)
            aside = here / f".{name}"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            for file in self.folder.names(f"{CHECKPOINTS}/{name}/"):
                self.folder.download(file, aside / file.rpartition("/")[2])
            if is_whole(aside):
                aside.rename(target)
                self._bring_lines()
                return
            shutil.rmtree(aside)
            log.warning("%s/%s/%s is not whole: looking for an older one", self.folder.uri, CHECKPOINTS, name)

    def send_checkpoint(self, path: Path, keep: int) -> None:
        """The marker last; then all but the newest `keep` are removed, and later ones, which could not be read."""
        self._send_lines()
        files = sorted(path.iterdir(), key=lambda file: (file.name == MARKER, file.name))
        for file in files:
            self.folder.upload(file, f"{CHECKPOINTS}/{path.name}/{file.name}")
        there = self._checkpoints()
        for old in set(there) - set([name for name in there if name <= path.name][:keep]):
            names = self.folder.names(f"{CHECKPOINTS}/{old}/")
            for name in sorted(names, key=lambda name: not name.endswith(MARKER)):  # no marker without its files
                self.folder.delete(name)

    def send_folder(self, path: Path) -> None:
        """A folder below `output` with weights, which are its last file.  A milestone is no longer needed here then."""
        for file in sorted(path.iterdir()):
            self.folder.upload(file, file.relative_to(self.output).as_posix())
        if path.parent == self.output / MILESTONES:
            shutil.rmtree(path)

    def finish(self) -> None:
        """After the weights: where the summary is there, so is all."""
        self._send_lines()
        self.folder.upload(self.output / SUMMARY, SUMMARY)

    def tell(self, row: dict[str, Any]) -> None:
        """For those who follow the run: the newest line of metrics every few seconds, all lines and TensorBoard's file
        every minute; in a thread."""
        now = time.monotonic()
        if now < self._next or (self._told is not None and not self._told.done()):
            return
        if self._told is not None and (error := self._told.exception()) is not None:
            log.warning("the run's progress could not be told: %s", error)
        self._next = now + TELL_EVERY_S
        data = json.dumps(row, sort_keys=True).encode()
        self._told = self._thread.submit(self._tell, data)

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _tell(self, row: bytes) -> None:
        self.folder.put(row, PROGRESS)
        began = time.monotonic()
        if began >= self._next_lines:
            self._send_lines()
            now = time.monotonic()
            self._next_lines = now + max(LINES_EVERY_S, (now - began) / MAX_SHARE)

    def _checkpoints(self) -> list[str]:
        """Names of those that have their marker, newest first."""
        names = (name.split("/") for name in self.folder.names(f"{CHECKPOINTS}/step-"))
        return sorted((parts[1] for parts in names if parts[2:] == [MARKER]), reverse=True)

    def _bring_lines(self) -> None:
        for name in LINES:
            (self.output / name).unlink(missing_ok=True)
            if name in self.folder.names(name):
                self.folder.download(name, self.output / name)

    def _send_lines(self) -> None:
        """As they are now: they grow meanwhile."""
        events = sorted((self.output / EVENTS).glob(EVENT_FILES))
        named = {name: self.output / name for name in LINES} | {f"{EVENTS}/{EVENT_FILE}": path for path in events[-1:]}
        with self._lines:
            for name, path in named.items():
                if path.exists():
                    self.folder.put(path.read_bytes(), name)
