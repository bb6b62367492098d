"""One fine-tuning: updates, a dev score after each epoch, the best epochs kept; and prediction with a tuned head."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evaluation.batches import collate, prediction_order, training_order
from evaluation.benchmark import Benchmark
from evaluation.decode import decode
from evaluation.encoders import Tokenizer
from evaluation.features import ANSWERS, Feature, features_of
from evaluation.heads import Batch, Head
from evaluation.records import Example, Parts
from evaluation.scoring import score_examples
from evaluation.settings import FinetuneConfig
from evaluation.state import Progress, TuningState

log = logging.getLogger(__name__)
BETAS, EPSILON = (0.9, 0.98), 1e-6  # RoBERTa's
LOSS_CHECKS = 20  # updates between two looks at the loss: each look waits for a GPU
TOKENS_TOGETHER = 8  # a batch of prediction may hold this many training batches' rows, if they are short
JOINT = "all dev sets"


class DivergedError(ValueError):
    """A fine-tuning whose loss or logits are no numbers: it has no score."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Examples with their rows.  `together` rows stand for one example of a batch (the answers of a choice)."""

    examples: Sequence[Example]
    rows: list[Feature]
    together: int = 1

    @property
    def lengths(self) -> list[int]:
        """Tokens of the longest row of each unit."""
        sizes = [len(row.ids) for row in self.rows]
        return [max(sizes[at : at + self.together]) for at in range(0, len(sizes), self.together)]

    def take(self, units: Sequence[int]) -> list[Feature]:
        return [row for unit in units for row in self.rows[unit * self.together : (unit + 1) * self.together]]


@dataclass(frozen=True, slots=True)
class Tuner:
    """A head with all that its training and its predictions need."""

    head: Head
    tokenizer: Tokenizer
    benchmark: Benchmark
    config: FinetuneConfig
    max_tokens: int

    def prepare(self, examples: Sequence[Example]) -> Prepared:
        rows = features_of(examples, self.benchmark, self.tokenizer, self.max_tokens)
        return Prepared(examples, rows, ANSWERS if self.benchmark.task == "choice" else 1)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.head.parameters(), lr=self.config.learning_rate, betas=BETAS, eps=EPSILON,
                                 weight_decay=self.config.weight_decay, fused=True)  # fmt: skip

    def tune(self, train: Sequence[Example], dev: Parts, state: TuningState) -> Progress:
        """Train; the state keeps the best epochs.  Raises DivergedError.

        Goes on after the last epoch that the state has, and gives the same weights then (on a CPU to the last bit).
        """
        prepared = self.prepare(train)
        watched = {name: self.prepare(examples) for name, examples in dev.items()}
        optimizer = self.optimizer()
        progress = state.load(self.head, optimizer)
        while not progress.finished:
            began = time.monotonic()
            updates = self.train_epoch(prepared, optimizer, progress.epochs)
            seconds = time.monotonic() - began
            values = {name: self._headline(name, rows, found) for name, rows, found in self._each(watched)}
            progress.epochs += 1
            self._note(progress, values)
            log.info("%s seed %d epoch %d of %d: %d updates, %.0f examples/s, dev %s %s", self.benchmark.name,
                     self.config.seed, progress.epochs, self.config.epochs, updates,
                     updates * self.config.batch / max(seconds, 1e-9), self.benchmark.headline,
                     ", ".join(f"{name} {value:.1f}" for name, value in values.items()))  # fmt: skip
            state.save(self.head, optimizer, progress)
        return progress

    def _note(self, progress: Progress, values: Mapping[str, float]) -> None:
        joint = self.config.selection == "joint"
        watched = {JOINT: float(np.mean(list(values.values())))} if joint else values
        better = {name: value for name, value in watched.items()
                  if name not in progress.best or value > progress.best[name][0]}  # fmt: skip
        progress.best |= {name: (value, progress.epochs) for name, value in better.items()}
        progress.without_gain = 0 if better else progress.without_gain + 1
        tired = 0 < self.config.patience <= progress.without_gain
        progress.finished = tired or progress.epochs >= self.config.epochs

    def train_epoch(self, prepared: Prepared, optimizer: torch.optim.Optimizer, epoch: int) -> int:
        """Updates done.  Dropout is seeded by the epoch, so that a resumed training draws the same."""
        lengths = prepared.lengths
        a_pass = -(-len(lengths) // self.config.batch)
        updates = self.config.updates_per_epoch or a_pass
        torch.manual_seed(self.config.seed * 1_000_003 + epoch)
        self.head.train()
        losses: list[Tensor] = []
        order: tuple[int, list[list[int]]] = (-1, [])
        for update in range(epoch * updates, (epoch + 1) * updates):
            turn, place = divmod(update, a_pass)
            if turn != order[0]:
                order = turn, training_order(lengths, self.config.batch, self.config.seed, turn)
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * rate_at(update, updates * self.config.epochs,
                                                                 self.config.warmup_fraction)  # fmt: skip
            losses.append(self._update(prepared.take(order[1][place]), optimizer))
            if len(losses) == LOSS_CHECKS or update + 1 == (epoch + 1) * updates:
                self._check_losses(losses, epoch)
                losses = []
        return updates

    def _update(self, rows: Sequence[Feature], optimizer: torch.optim.Optimizer) -> Tensor:
        batch = self._batch(rows)
        optimizer.zero_grad(set_to_none=True)
        with self._precision(batch):
            loss = self.head.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    def _check_losses(self, losses: Sequence[Tensor], epoch: int) -> None:
        if not bool(torch.isfinite(torch.stack(list(losses))).all()):
            raise DivergedError(f"{self.benchmark.name} seed {self.config.seed}: the loss is not finite in epoch "
                                f"{epoch + 1}: this run has no score. Lower the learning rate "
                                f"({self.config.learning_rate:g}) or take another seed")  # fmt: skip

    def _headline(self, name: str, prepared: Prepared, found: Sequence[object]) -> float:
        return score_examples(self.benchmark, name, prepared.examples, found)[0][1]

    def predict(self, parts: Mapping[str, Prepared]) -> dict[str, list[object]]:
        """Predictions of all sets, in one pass over their rows by length.  Raises DivergedError."""
        return {name: found for name, _, found in self._each(parts)}

    def _each(self, parts: Mapping[str, Prepared]) -> list[tuple[str, Prepared, list[object]]]:
        together = ANSWERS if self.benchmark.task == "choice" else 1
        every = Prepared((), [row for part in parts.values() for row in part.rows], together)
        logits, start, found = self._logits(every), 0, []
        for name, part in parts.items():
            own = logits[start : start + len(part.rows) // together]
            start += len(own)
            found.append((name, part, decode(self.benchmark, part.examples, part.rows, own)))
        return found

    @torch.no_grad()
    def _logits(self, every: Prepared) -> list[Tensor]:
        self.head.eval()
        lengths = every.lengths
        found: list[Tensor | None] = [None] * len(lengths)
        budget = self.config.batch * min(self.max_tokens, TOKENS_TOGETHER * max(16, int(np.median(lengths or [16]))))
        for units in prediction_order(lengths, budget):
            batch = self._batch(every.take(units))
            with self._precision(batch):
                logits = self.head(batch).float()
            if not bool(torch.isfinite(logits).all()):
                raise DivergedError(f"{self.benchmark.name} seed {self.config.seed}: the head's logits are not finite: "
                                    "this run has no score")  # fmt: skip
            for unit, row in zip(units, logits.cpu(), strict=True):
                found[unit] = row[: lengths[unit]] if self.benchmark.task in ("tagging", "span") else row
        return [row for row in found if row is not None]

    def _batch(self, rows: Sequence[Feature]) -> Batch:
        device = next(self.head.parameters()).device
        return collate(rows, self.tokenizer.pad, device, real=self.benchmark.task == "regression")

    def _precision(self, batch: Batch) -> torch.autocast:
        return torch.autocast(batch.ids_BT.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")


def rate_at(update: int, updates: int, warmup_fraction: float) -> float:
    """Share of the learning rate: linear up over the warm-up, linear down to 0 at the end."""
    warmup = max(1, int(warmup_fraction * updates))
    return max(0.0, min((update + 1) / warmup, (updates - update) / max(1, updates - warmup)))
