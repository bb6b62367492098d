"""The folder that a training keeps its files in, as it is looked at while the training goes on: on a disk, or on S3."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import MissingArtifact
from pipeline.store import ArtifactStore, FileStore

METRICS, VALIDATION, SUMMARY, PROGRESS = "metrics.jsonl", "validation.jsonl", "summary.json", "progress.json"
MILESTONES, EVENTS = "milestones", "events"
LINES = (METRICS, VALIDATION)
MILESTONE = "step-{:08d}"
WEIGHTS = "model.safetensors"  # of a milestone; sent last, so that with it all of the milestone is there
ROW_BYTES = 4096  # a row of metrics is shorter

Mark = tuple[float, ...]  # changes with the file


class RunFolder(ABC):
    """Files by names relative to the folder."""

    @abstractmethod
    def growing(self) -> dict[str, Mark]:
        """The lines of metrics and of validation, and the newest TensorBoard file, as far as they are there."""

    @abstractmethod
    def read(self, name: str) -> bytes: ...

    @abstractmethod
    def last_row(self) -> dict[str, Any]:
        """The newest line of metrics that is told; {} before the first."""

    @abstractmethod
    def milestones(self) -> list[int]:
        """Updates whose weights are there, the oldest first."""

    @abstractmethod
    def weights(self, update: int, scratch: Path) -> Path:
        """A local folder with a milestone's weights; `scratch` may take them."""

    @abstractmethod
    def remove_milestone(self, update: int) -> None: ...


class DiskRunFolder(RunFolder):
    """`events` is where TensorBoard's files are."""

    def __init__(self, folder: Path, events: Path | None = None) -> None:
        self.folder, self.events = folder, events or folder / EVENTS

    def growing(self) -> dict[str, Mark]:
        events = sorted(path for path in self.events.iterdir() if path.is_file()) if self.events.is_dir() else []
        named = {name: self.folder / name for name in LINES} | {f"{EVENTS}/{path.name}": path for path in events[-1:]}
        return {name: (path.stat().st_mtime_ns,) for name, path in named.items() if path.exists()}

    def read(self, name: str) -> bytes:
        above, _, file = name.rpartition("/")
        return (self.events / file if above == EVENTS else self.folder / name).read_bytes()

    def last_row(self) -> dict[str, Any]:
        path = self.folder / METRICS
        if not path.exists():
            return {}
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - ROW_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        for line in reversed(lines):
            try:
                row: dict[str, Any] = json.loads(line)
                return row
            except ValueError:  # the line is being written
                continue
        return {}

    def milestones(self) -> list[int]:
        return sorted(_update(path.name) for path in (self.folder / MILESTONES).glob("step-*"))

    def weights(self, update: int, scratch: Path) -> Path:
        return self._milestone(update)

    def remove_milestone(self, update: int) -> None:
        shutil.rmtree(self._milestone(update))

    def _milestone(self, update: int) -> Path:
        return self.folder / MILESTONES / MILESTONE.format(update)


class StoredRunFolder(RunFolder):
    """Under a prefix of a store that is no disk: what the job has sent (training/kept.py)."""

    def __init__(self, store: ArtifactStore, prefix: str) -> None:
        self.store, self.prefix = store, prefix

    def growing(self) -> dict[str, Mark]:
        entries = [one for name in (*LINES, f"{EVENTS}/") for one in self.store.entries(f"{self.prefix}/{name}")]
        return {one.key.removeprefix(f"{self.prefix}/"): (one.modified, one.size_bytes) for one in entries}

    def read(self, name: str) -> bytes:
        return self.store.get(f"{self.prefix}/{name}")

    def last_row(self) -> dict[str, Any]:
        with suppress(MissingArtifact, ValueError):
            row: dict[str, Any] = json.loads(self.read(PROGRESS))
            return row
        return {}

    def milestones(self) -> list[int]:
        names = (key.split("/")[-2:] for key in self.store.list(f"{self.prefix}/{MILESTONES}/step-"))
        return sorted(_update(folder) for folder, file in names if file == WEIGHTS)

    def weights(self, update: int, scratch: Path) -> Path:
        """Moved to `scratch`: what the store brings would else stay on this disk as long as the task runs."""
        for key in self.store.list(self._milestone(update)):
            shutil.move(self.store.local(key), scratch / key.rpartition("/")[2])
        return scratch

    def remove_milestone(self, update: int) -> None:
        self.store.delete(f"{self._milestone(update)}{WEIGHTS}")  # first: without it there is no milestone
        self.store.delete_folder(self._milestone(update).rstrip("/"))

    def _milestone(self, update: int) -> str:
        return f"{self.prefix}/{MILESTONES}/{MILESTONE.format(update)}/"


def run_folder(store: ArtifactStore, prefix: str) -> RunFolder:
    """The folder of a job's run in the store."""
    if isinstance(store, FileStore):
        return DiskRunFolder(store.folder / prefix)
    return StoredRunFolder(store, prefix)


def _update(name: str) -> int:
    return int(name.removeprefix("step-"))
