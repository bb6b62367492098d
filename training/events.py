"""The lines of metrics as a TensorBoard event file, where torch's `tensorboard` package is installed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

EVENT_FILES = "events.out.tfevents.*"
WRITTEN_AT = "written_at_s"  # of a line: seconds since 1970
FLUSH_S = 30
# What a line of metrics or validation says -> the name of its curve; values by language get the language behind it.
CURVES = {
    "loss_nats": "loss/mean",
    "loss_nats_by_language": "loss",
    "gradient_norm": "optimizer/gradient_norm",
    "learning_rate": "optimizer/learning_rate",
    "skipped_updates": "optimizer/skipped_updates",
    "tokens": "data/tokens",
    "next_sample": "data/next_sample",
    "data_wait_share": "data/wait_share",
    "tokens_per_s": "speed/tokens_per_s",
    "mfu": "speed/mfu",
    "memory_gb": "speed/memory_gb",
}
VALIDATION_CURVES = {
    "loss_nats": "validation_loss/mean",
    "loss_nats_by_language": "validation_loss",
    "perplexity": "validation_perplexity/mean",
    "perplexity_by_language": "validation_perplexity",
}


class EventFile:
    """One file in `folder`, made anew from the lines that stand, then continued: so it never shows an update twice.

    Without the package nothing is written, and the log says so.
    """

    def __init__(self, folder: Path, metrics: Path, validation: Path) -> None:
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            log.info("tensorboard is not installed: metrics are in %s alone", metrics.name)
            return
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(EVENT_FILES):
            old.unlink()
        self._writer = SummaryWriter(str(folder), flush_secs=FLUSH_S)
        for path, curves in ((metrics, CURVES), (validation, VALIDATION_CURVES)):
            if path.exists():
                for line in path.read_text(encoding="utf-8").splitlines():
                    self._add(json.loads(line), curves)

    def add(self, row: Mapping[str, Any]) -> None:
        """A line of metrics."""
        self._add(row, CURVES)

    def add_validation(self, row: Mapping[str, Any]) -> None:
        self._add(row, VALIDATION_CURVES)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _add(self, row: Mapping[str, Any], curves: Mapping[str, str]) -> None:
        if self._writer is not None:
            for curve, value in _points(row, curves):
                self._writer.add_scalar(curve, value, row["step"], walltime=row.get(WRITTEN_AT, time.time()))


def _points(row: Mapping[str, Any], curves: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for name, curve in curves.items():
        value = row.get(name)
        if isinstance(value, Mapping):
            yield from ((f"{curve}/{language}", one) for language, one in value.items())
        elif value is not None:  # a speed that is not known here, the loss of left-out updates
            yield curve, value
