"""Checkpoints as folders `step-00000100`, written aside, renamed whole, and marked by `complete.json` last."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

MARKER = "complete.json"
STATE = "state.pt"
NAME = re.compile(r"step-(\d{8})")


class CheckpointError(ValueError):
    """A checkpoint that does not belong to this run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.  The next sample is step * batch, so one number says all of the data order."""

    step: int
    run: str  # digest of what the run is: config, vocabulary, blocks
    window_loss: float  # sum of losses since the last line of metrics
    window_targets: int


def save_checkpoint(folder: Path, progress: Progress, tensors: dict[str, Any], keep: int) -> Path:
    """Write one checkpoint and remove all but the newest `keep`."""
    name = f"step-{progress.step:08d}"
    aside = folder / f".{name}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    torch.save(tensors, aside / STATE)
    marker = asdict(progress) | {"size_bytes": (aside / STATE).stat().st_size}
    (aside / MARKER).write_text(json.dumps(marker, indent=1, sort_keys=True))
    with (aside / STATE).open("rb") as file:
        os.fsync(file.fileno())
    shutil.rmtree(folder / name, ignore_errors=True)
    aside.rename(folder / name)
    for old in sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))[:-keep]:
        shutil.rmtree(old)
    return folder / name


def load_newest(folder: Path, run: str, device: torch.device) -> tuple[Progress, dict[str, Any]] | None:
    """The newest whole checkpoint, or None.  Raises CheckpointError where it is of another run."""
    found = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    for path in found:
        if not NAME.fullmatch(path.name) or not ((path / MARKER).exists() and (path / STATE).exists()):
            continue
        marker = json.loads((path / MARKER).read_text())
        if (path / STATE).stat().st_size != marker.pop("size_bytes"):
            continue
        progress = Progress(**marker)
        if progress.run != run:
            raise CheckpointError(
                f"{path}: made with other settings or data ({progress.run}, now {run}): use another output folder"
            )
        return progress, torch.load(path / STATE, map_location=device, weights_only=True)
    return None


def run_digest(parts: Any) -> str:
    """16 hex digits for what must be equal between a run and its continuation."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
