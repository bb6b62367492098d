"""A fine-tuning's state on disk: where it stopped, and the weights of the epochs that are best so far."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.tensor_files import save_tensors

log = logging.getLogger(__name__)
FILE = "state.pt"


@dataclass(slots=True)
class Progress:
    """`best`: what is selected for -> (dev score, epoch); `epochs` are done, from 1.  `without_gain` counts epochs."""

    epochs: int = 0
    best: dict[str, tuple[float, int]] = field(default_factory=dict)
    without_gain: int = 0
    finished: bool = False


class TuningState:
    """Kept in a folder.  `identity` tells one fine-tuning from another: a state of another one is not taken up."""

    def __init__(self, folder: Path, identity: str, on_saved: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.identity = identity
        self._on_saved = on_saved
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Where it stopped, with model and optimizer as they were then; a new start where nothing is kept."""
        path = self.folder / FILE
        if not path.is_file():
            return Progress()
        kept: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if kept["identity"] != self.identity:
            log.warning("%s: the state of another fine-tuning: starting from the beginning", path)
            return Progress()
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        progress = Progress(**kept["progress"])
        log.info("%s: goes on after epoch %d", path, progress.epochs)
        return progress

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """The weights first, if this epoch is a best one, then the state in one step; a reader never sees half."""
        epochs = {epoch for _, epoch in progress.best.values()}
        if progress.epochs in epochs:
            self._write(self._weights(progress.epochs), model.state_dict())
        stated = {
            "epochs": progress.epochs,
            "best": progress.best,
            "without_gain": progress.without_gain,
            "finished": progress.finished,
        }
        self._write(self.folder / FILE, {"identity": self.identity, "model": model.state_dict(),
                                         "optimizer": optimizer.state_dict(), "progress": stated})  # fmt: skip
        for path in self.folder.glob("epoch-*.pt"):
            if path not in {self._weights(epoch) for epoch in epochs}:
                path.unlink()
        self._on_saved()

    def load_epoch(self, model: nn.Module, epoch: int) -> None:
        """The weights of a best epoch."""
        model.load_state_dict(torch.load(self._weights(epoch), map_location="cpu", weights_only=True))

    def _weights(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:04}.pt"

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        aside = path.with_suffix(".part")
        save_tensors(content, aside)
        os.replace(aside, path)
