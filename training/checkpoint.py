"""Checkpoints as folders `step-00000100`, written aside, flushed to disk, and renamed whole.

The marker `complete.json` holds size and digest of every file, so that a checkpoint is taken for whole only if it
still reads as it was written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.storage import sha256
from training.tensor_files import save_tensors

log = logging.getLogger(__name__)

MARKER = "complete.json"
STATE = "state.pt"
NAME = re.compile(r"step-(\d{8})")


class CheckpointError(ValueError):
    """A checkpoint that does not belong to this run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.  The next sample is step * batch, so one number says all of the data order."""

    step: int
    run: str  # digest of what the run is: settings, sizes, inputs
    window: dict[str, Any]  # what the next line of metrics has summed so far
    history: dict[str, Any]  # what must outlive the lines of metrics: first loss, skipped updates, gradient norm


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that reads whole."""

    folder: Path
    progress: Progress

    def tensors(self, device: torch.device) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(self.folder / STATE, map_location=device, weights_only=True)
        return state


def save_checkpoint(folder: Path, progress: Progress, tensors: dict[str, Any], keep: int) -> Path:
    """Write one checkpoint and remove all but the newest `keep`; also later ones, which could not be gone on from."""
    name = f"step-{progress.step:08d}"
    aside = folder / f".{name}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    save_tensors(tensors, aside / STATE)
    _flush(aside / STATE)
    files = {STATE: {"size_bytes": (aside / STATE).stat().st_size, "sha256": sha256(aside / STATE)}}
    marker = asdict(progress) | {"files": files}
    (aside / MARKER).write_text(json.dumps(marker | {"digest": run_digest(marker)}, indent=1, sort_keys=True))
    _flush(aside / MARKER)
    _flush(aside)
    _remove(folder / name)
    aside.rename(folder / name)
    _flush(folder)
    there = _folders(folder)
    for other in set(there) - set([path for path in there if path.name <= name][:keep]):
        _remove(other)
    return folder / name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class CheckpointWriter:
    """Writes checkpoints in a thread, one at a time; what fails is raised by the next call."""

    def __init__(self, after: Callable[[Path, int], None] | None = None) -> None:
        """`after(path, keep)` is called with each checkpoint on disk, in the same thread."""
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._pending: Future[None] | None = None
        self._after = after

    def save(self, folder: Path, progress: Progress, tensors: dict[str, Any], keep: int) -> None:
        """Copy the tensors and come back; they may change from then on."""
        self.wait()
        copied = _copied(tensors)
        self.run(lambda: self._write(folder, progress, copied, keep))

    def run(self, work: Callable[[], None]) -> None:
        """Other work on the run's files, in the thread."""
        self.wait()
        self._pending = self._thread.submit(work)

    def _write(self, folder: Path, progress: Progress, tensors: dict[str, Any], keep: int) -> None:
        path = save_checkpoint(folder, progress, tensors, keep)
        if self._after is not None:
            self._after(path, keep)

    def wait(self) -> None:
        """Until the last checkpoint is on disk, and sent."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        self._thread.shutdown(wait=True)


def is_whole(path: Path) -> bool:
    """Whether a checkpoint's folder has the files that its marker states."""
    try:
        _read_marker(path)
    except ValueError:
        return False
    return True


def newest(folder: Path, run: str) -> Checkpoint | None:
    """The newest checkpoint that reads whole, or None; says which newer ones do not.

    Raises CheckpointError where it is of another run.
    """
    for path in _folders(folder):
        try:
            progress = _read_marker(path)
        except ValueError as error:
            log.warning("%s is not whole (%s): looking for an older one", path, error)
            continue
        if progress.run != run:
            raise CheckpointError(
                f"{path}: made with other settings or data ({progress.run}, now {run}): use another output folder"
            )
        return Checkpoint(path, progress)
    return None


def _folders(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if NAME.fullmatch(path.name)), reverse=True)


def _read_marker(path: Path) -> Progress:
    """Raises ValueError where the marker or a file that it lists is not as written."""
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
        digest = marker.pop("digest")
        if digest != run_digest(marker):
            raise ValueError(f"{MARKER} has other bytes than were written")
        files = marker.pop("files")
        progress = Progress(**marker)
        stated = [(path / name, int(file["size_bytes"]), str(file["sha256"])) for name, file in files.items()]
        if (path / STATE) not in [file for file, _, _ in stated]:
            raise ValueError(f"{MARKER} does not list {STATE}")
        for file, size_bytes, digest in stated:
            if file.stat().st_size != size_bytes:
                raise ValueError(f"{file.name} has {file.stat().st_size} bytes, {size_bytes} were written")
            if sha256(file) != digest:
                raise ValueError(f"{file.name} has other bytes than were written")
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{MARKER}: {type(error).__name__}: {error}") from error
    return progress


def run_digest(parts: Any) -> str:
    """16 hex digits for what must be equal between a run and its continuation."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _flush(path: Path) -> None:
    """To the disk itself: a folder's entries too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copied(value: Any) -> Any:
    """Tensors as copies in memory of their own, in the same nest of dicts and lists."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {name: _copied(part) for name, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value
