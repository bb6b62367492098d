"""The run's files for readers: metrics.jsonl, validation.jsonl, TensorBoard's events, summary.json; its log."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.batches import Batches
from training.distributed import Processes
from training.events import WRITTEN_AT, EventFile
from training.flops import training_flops_per_token
from training.metrics import Window, duration, memory_gb, peak_flops
from training.model import MaskedLanguageModel, parameter_count
from training.optimizer import learning_rate
from training.settings import PretrainSettings

log = logging.getLogger(__name__)


class Journal:
    """Written by the first process; the others only pass by.

    `history` is the part of the checkpoint that outlives the lines: a run that goes on elsewhere, without its
    metrics file, still ends with the same summary.
    """

    def __init__(
        self,
        settings: PretrainSettings,
        processes: Processes,
        batches: Batches,
        model: MaskedLanguageModel,
        on_row: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """`on_row` is called with each line of metrics."""
        self.on_row = on_row
        self.settings, self.processes, self.batches = settings, processes, batches
        self.parameters = parameter_count(model)
        self.flops_per_token = training_flops_per_token(model.encoder.config, settings.block_tokens)
        self.vocabulary_size = model.encoder.config.vocabulary_size
        self.writing = processes.rank == 0
        self.tokens_of_update = settings.batch_blocks * settings.block_tokens
        self.events: EventFile | None = None

    def begin(self, step: int) -> None:
        """Lines after the checkpoint are written again by this run."""
        self.began = (time.monotonic(), step)
        self.before = (time.monotonic(), step, 0.0)
        if self.writing:
            self.settings.output.mkdir(parents=True, exist_ok=True)
            files = [self.settings.output / name for name in ("metrics.jsonl", "validation.jsonl")]
            for file in files:
                _cut(file, step)
            if self.settings.events:
                self.events = EventFile(Path(self.settings.events), *files)

    def write(self, step: int, window: Window, waited_s: float, history: dict[str, Any]) -> None:
        """One line of metrics.  Speeds are over the window, waiting for data is part of them."""
        settings = self.settings
        now = time.monotonic()
        since, first, waited_before = self.before
        seconds = max(now - since, 1e-9)
        self.before = (now, step, waited_s)
        tokens_per_s = (step - first) * self.tokens_of_update / seconds
        peak = peak_flops(self.processes.device)
        left_s = (now - self.began[0]) / max(step - self.began[1], 1) * (settings.steps - step)
        row = window.row(self.batches.languages) | {
            "step": step,
            "learning_rate": learning_rate(
                step - 1, settings.peak_learning_rate, settings.warmup_steps, settings.steps
            ),
            "tokens": step * self.tokens_of_update,
            "next_sample": step * settings.batch_blocks,
            "tokens_per_s": round(tokens_per_s, 1),
            "mfu": round(tokens_per_s * self.flops_per_token / (peak * self.processes.size), 4) if peak else None,
            "memory_gb": memory_gb(self.processes.device),
            "data_wait_share": round((waited_s - waited_before) / seconds, 5),
            "seconds_left": round(left_s),
            WRITTEN_AT: round(time.time(), 3),
        }
        history.setdefault("first_loss_nats", row["loss_nats"])
        history["last_loss_nats"] = row["loss_nats"]
        self._append("metrics.jsonl", row)
        if self.events is not None:
            self.events.add(row)
        if self.on_row is not None:
            self.on_row(row)
        if self.writing:
            loss = "no update taken" if row["loss_nats"] is None else f"loss {row['loss_nats']:.3f} nats"
            log.info("update %d of %d: %s, %.0f tokens/s, %s left",
                     step, settings.steps, loss, tokens_per_s, duration(left_s))  # fmt: skip

    def write_validation(self, row: dict[str, Any], history: dict[str, Any]) -> None:
        history.setdefault("first_validation", row)
        history["last_validation"] = row
        self._append("validation.jsonl", row)
        if self.events is not None:
            self.events.add_validation(row)
        if self.writing:
            log.info("validation after update %d: %.3f nats, perplexity %.1f",
                     row["step"], row["loss_nats"], row["perplexity"])  # fmt: skip

    def write_summary(self, history: dict[str, Any]) -> None:
        """Losses are means over the first and the last line of metrics; speed is that of this attempt."""
        if not self.writing:
            return
        settings = self.settings
        since, first = self.began
        validations = {name: history[name] for name in ("first_validation", "last_validation") if name in history}
        summary = validations | {
            "first_loss_nats": history["first_loss_nats"],
            "last_loss_nats": history["last_loss_nats"],
            "uniform_loss_nats": round(math.log(self.vocabulary_size), 6),
            "loss_window_updates": settings.log_steps,
            "tokens_per_s": round(
                (settings.steps - first) * self.tokens_of_update / max(time.monotonic() - since, 1e-9), 1
            ),
            "parameters": self.parameters,
            "steps": settings.steps,
            "skipped_updates": history["skipped_updates"],
            "world_size": self.processes.size,
            "flops_per_token": self.flops_per_token,
            "trained_tokens": settings.block_tokens,
            "cycle_samples": self.batches.order.cycle,
            "tokens_by_language": self.batches.tokens_by_language(settings.steps * settings.batch_blocks),
        }
        path = settings.output / "summary.json"
        path.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def close(self) -> None:
        if self.events is not None:
            self.events.close()

    def _append(self, name: str, row: dict[str, Any]) -> None:
        if self.writing:
            with (self.settings.output / name).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:  # the kill cut the line
            break
    path.write_text("".join(kept), encoding="utf-8")
