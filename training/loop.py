"""The pretraining loop: draw, mask, forward, backward, step; checkpoint; the same bits after any interruption."""

from __future__ import annotations

import json
import logging
import signal
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from training.batches import Batches
from training.checkpoint import Progress, load_newest, run_digest, save_checkpoint
from training.distributed import Processes
from training.export import save_final
from training.flops import training_flops_per_token
from training.masking import IGNORED
from training.model import PRESETS, EncoderConfig, MaskedLanguageModel, parameter_count
from training.optimizer import learning_rate, make_optimizer
from training.settings import PretrainSettings
from training.vocabulary import Vocabulary

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


class Pretraining:
    """A run with its model, data order and optimizer."""

    def __init__(self, settings: PretrainSettings, processes: Processes) -> None:
        if settings.batch_blocks % processes.size:
            raise ValueError(f"batch_blocks {settings.batch_blocks} cannot be shared by {processes.size} processes")
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.settings, self.processes = settings, processes
        size = len(Vocabulary.load(settings.vocabulary))
        self.config: EncoderConfig = replace(
            PRESETS[settings.model](size, max_tokens=max(512, settings.block_tokens)),
            dropout=settings.dropout,
        )
        self.model = MaskedLanguageModel(self.config).to(processes.device)
        self.batches = Batches(
            settings.blocks,
            settings.block_tokens,
            settings.alpha,
            settings.seed,
            settings.cycle_samples,
            size,
        )
        self.optimizer = make_optimizer(self.model, settings.betas, settings.epsilon, settings.weight_decay)
        self.parallel = self._parallel()
        self.share = settings.batch_blocks // processes.size
        self.micro = settings.micro_batch_blocks or self.share
        self.progress = Progress(0, self._digest(), 0.0, 0)
        self.stopping = False
        self.begun = (time.monotonic(), 0)

    def run(self) -> None:
        """Train to the last step from wherever the newest checkpoint stands.  Raises Stopped after SIGTERM."""
        settings = self.settings
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        settings.output.mkdir(parents=True, exist_ok=True)
        self._resume()
        self.begun = (time.monotonic(), self.progress.step)
        while self.progress.step < settings.steps:
            loss, targets, stop = self._update(self.progress.step)
            step = self.progress.step + 1
            self.progress = replace(
                self.progress,
                step=step,
                window_loss=self.progress.window_loss + loss,
                window_targets=self.progress.window_targets + targets,
            )
            if step % settings.log_steps == 0 or step == settings.steps:
                self._write_metrics()
            if stop or step % settings.checkpoint_steps == 0 or step == settings.steps:
                self._save()
            if stop and step < settings.steps:
                raise Stopped(f"stopped after update {step}")
        self._finish()

    def _update(self, step: int) -> tuple[float, int, bool]:
        """One update: (sum of losses, targets, whether to stop), the same on all processes."""
        settings, processes = self.settings, self.processes
        first = step * settings.batch_blocks + processes.rank * self.share
        parts = [
            self.batches.take(first + start, min(self.micro, self.share - start)).to(processes.device)
            for start in range(0, self.share, self.micro)
        ]
        torch.manual_seed(((settings.seed * 1_000_003 + step) * 65_537 + processes.rank) % 2**63)  # dropout
        counted = sum(int((part.targets_BS != IGNORED).sum()) for part in parts)
        totals = torch.tensor([counted, float(self.stopping)], dtype=torch.float64, device=processes.device)
        targets, stop = processes.sum(totals).tolist()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, settings.peak_learning_rate, settings.warmup_steps, settings.steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), dtype=torch.float64, device=processes.device)
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            with nullcontext() if last or processes.size == 1 else self.parallel.no_sync():  # type: ignore[operator]
                summed = self._summed_loss(part.ids_BT, part.positions_BS, part.targets_BS)
                # DDP averages gradients over processes; the loss is the mean over all targets of the update.
                (summed * (processes.size / targets)).backward()
            loss += summed.detach().double()
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimizer.step()
        return float(processes.sum(loss)), int(targets), stop > 0

    def _summed_loss(self, ids_BT: Tensor, positions_BS: Tensor, targets_BS: Tensor) -> Tensor:
        on_gpu = self.processes.device.type == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if on_gpu and self.settings.bfloat16 else nullcontext():
            logits_MV = self.parallel(ids_BT, positions_BS.flatten())
        return functional.cross_entropy(logits_MV.float(), targets_BS.flatten(), ignore_index=IGNORED, reduction="sum")

    def _parallel(self) -> torch.nn.Module:
        model: Any = self.model
        if self.processes.device.type == "cuda" and self.settings.compile:
            model = torch.compile(model)
        if self.processes.size == 1:
            return model  # type: ignore[no-any-return]
        ids = [self.processes.device.index] if self.processes.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def _resume(self) -> None:
        found = load_newest(self.settings.output / "checkpoints", self.progress.run, self.processes.device)
        self.processes.wait()  # all have looked before any writes
        if found is not None:
            self.progress, tensors = found
            self.model.load_state_dict(tensors["model"])
            self.optimizer.load_state_dict(tensors["optimizer"])
            log.info("going on from update %d", self.progress.step)
        if self.processes.rank == 0:
            self._cut_metrics()

    def _cut_metrics(self) -> None:
        """Lines after the checkpoint are written again by this run."""
        path = self.settings.output / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        kept = []
        for line in lines:
            try:
                if json.loads(line)["step"] <= self.progress.step:
                    kept.append(line + "\n")
            except ValueError:  # the kill cut the line
                break
        path.write_text("".join(kept))

    def _write_metrics(self) -> None:
        step, progress = self.progress.step, self.progress
        since, first = self.begun
        seconds = max(time.monotonic() - since, 1e-9)
        tokens = self.settings.batch_blocks * self.settings.block_tokens
        row = {
            "step": step,
            "loss_nats": round(progress.window_loss / progress.window_targets, 6),
            "learning_rate": learning_rate(
                step - 1, self.settings.peak_learning_rate, self.settings.warmup_steps, self.settings.steps
            ),
            "tokens": step * tokens,
            "tokens_per_s": round((step - first) * tokens / seconds, 1),
        }
        self.progress = replace(progress, window_loss=0.0, window_targets=0)
        if self.processes.rank == 0:
            with (self.settings.output / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
            log.info("update %d of %d: loss %.3f nats, %.0f tokens/s",
                     step, self.settings.steps, row["loss_nats"], row["tokens_per_s"])  # fmt: skip

    def _save(self) -> None:
        if self.processes.rank == 0:
            tensors = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            folder = self.settings.output / "checkpoints"
            save_checkpoint(folder, self.progress, tensors, self.settings.keep_checkpoints)
        self.processes.wait()

    def _finish(self) -> None:
        if self.processes.rank == 0:
            output = self.settings.output
            save_final(self.model, self.config, output / "final")
            rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
            (output / "summary.json").write_text(json.dumps(self._summary(rows), indent=1, sort_keys=True) + "\n")
        self.processes.wait()

    def _summary(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Losses are means over the first and the last line of metrics."""
        settings = self.settings
        return {
            "first_loss_nats": rows[0]["loss_nats"],
            "last_loss_nats": rows[-1]["loss_nats"],
            "uniform_loss_nats": round(float(np.log(self.config.vocabulary_size)), 6),
            "loss_window_updates": settings.log_steps,
            "tokens_per_s": rows[-1]["tokens_per_s"],
            "parameters": parameter_count(self.model),
            "steps": settings.steps,
            "world_size": self.processes.size,
            "flops_per_token": training_flops_per_token(self.config, settings.block_tokens),
            "tokens_by_language": self.batches.tokens_by_language(settings.steps * settings.batch_blocks),
        }

    def _ask_to_stop(self, *_: object) -> None:
        self.stopping = True

    def _digest(self) -> str:
        """What must not change between a run and its continuation (the number of processes may)."""
        free = (
            "output",
            "extra",
            "vocabulary",
            "blocks",
            "keep_checkpoints",
            "micro_batch_blocks",
            "compile",
        )
        kept = {name: value for name, value in asdict(self.settings).items() if name not in free}
        blocks = {lang: _fingerprint(path) for lang, path in sorted(self.settings.blocks.items())}
        return run_digest({"settings": kept, "blocks": blocks, "config": asdict(self.config)})


def _fingerprint(path: Path) -> str:
    """Size and a sample of a file's bytes: enough to tell other blocks, cheap at any size."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return run_digest([path.stat().st_size, head.hex()])
