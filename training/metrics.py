"""What is told while a run goes on: sums over a window of updates, and one line of JSON for each window."""

from __future__ import annotations

import math
import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

# Peak operations per second in dense bfloat16, by a part of the device's name (the makers' data sheets).
PEAK_FLOPS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "B200": 2250e12}
# What depends on the machine's speed and so is no part of an artifact that is the same on every run.
MACHINE_KEYS = ("tokens_per_s", "mfu", "memory_gb", "data_wait_share", "seconds_left", "written_at_s")


@dataclass(frozen=True, slots=True)
class Window:
    """Sums since the last line of metrics."""

    updates: int
    skipped: int
    loss_nats: tuple[float, ...]  # by language; updates that were left out are not in it
    targets: tuple[int, ...]
    gradient_norms: float

    @classmethod
    def empty(cls, languages: int) -> Window:
        return cls(0, 0, (0.0,) * languages, (0,) * languages, 0.0)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Window:
        """Back from JSON."""
        lists = {"loss_nats": tuple(values["loss_nats"]), "targets": tuple(values["targets"])}
        return cls(**{**values, **lists})

    def plus(self, loss_nats: Sequence[float], targets: Sequence[float], gradient_norm: float) -> Window:
        losses = tuple(old + new for old, new in zip(self.loss_nats, loss_nats, strict=True))
        counts = tuple(old + int(new) for old, new in zip(self.targets, targets, strict=True))
        return Window(self.updates + 1, self.skipped, losses, counts, self.gradient_norms + gradient_norm)

    def plus_skipped(self) -> Window:
        return Window(self.updates + 1, self.skipped + 1, self.loss_nats, self.targets, self.gradient_norms)

    def row(self, languages: Sequence[str]) -> dict[str, Any]:
        """Means over the window; a window of left-out updates only has no loss."""
        taken = self.updates - self.skipped
        total = sum(self.targets)
        by_language = zip(languages, self.loss_nats, self.targets, strict=True)
        return {
            "loss_nats": round(sum(self.loss_nats) / total, 6) if total else None,
            "loss_nats_by_language": {name: round(loss / n, 6) for name, loss, n in by_language if n},
            "gradient_norm": round(self.gradient_norms / taken, 6) if taken else None,
            "skipped_updates": self.skipped,
        }

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def perplexity(loss_nats: float) -> float:
    """exp(loss), or infinity."""
    return math.exp(loss_nats) if loss_nats < 700 else math.inf


def peak_flops(device: torch.device) -> float | None:
    """Of the device's data sheet; None where it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)


def memory_gb(device: torch.device) -> float:
    """The most that this process has held: of the GPU's memory, else of the machine's."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e9, 3)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3)


def duration(seconds: float) -> str:
    """`2 h 05 min`, `7 min` or `40 s`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
