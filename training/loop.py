"""The pretraining loop: draw, mask, forward, backward, step; checkpoint; the same bits after any interruption."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from training.batches import Batch, Batches
from training.checkpoint import CheckpointWriter, Progress, newest, run_digest
from training.distributed import Processes
from training.errors import NotFinite, Stopped
from training.export import load_checkpoint, save_final_weights
from training.journal import Journal
from training.kept import KeptRun
from training.learner import Learner, Outcome
from training.masking import IGNORED
from training.memory import memory_of
from training.metrics import Window
from training.model import MaskedLanguageModel
from training.prefetch import Prefetch
from training.settings import PretrainSettings
from training.sizes import PRESETS, widened
from training.storage import open_folder, sha256
from training.validation import validate
from training.vocabulary import Vocabulary

log = logging.getLogger(__name__)

SPIKE_MEMORY = 0.99  # weight of the past in the running mean of gradient norms, ours
SPIKE_FROM = 100  # updates before a norm can be called a spike: the first ones fall by themselves


@dataclass(frozen=True, slots=True)
class Share:
    """A process's part of an update, and its targets by language."""

    parts: Sequence[Batch]
    targets_L: torch.Tensor


class Pretraining:
    """A run with its model, data order and optimizer."""

    def __init__(self, settings: PretrainSettings, processes: Processes) -> None:
        if settings.batch_blocks % processes.size:
            raise ValueError(f"batch_blocks {settings.batch_blocks} cannot be shared by {processes.size} processes")
        torch.set_num_threads(settings.threads)
        self.settings, self.processes = settings, processes
        self.batches, model, run = processes.together(self._open)
        self.learner = Learner(settings, processes, model, len(self.batches.languages))
        self.share = settings.batch_blocks // processes.size
        self.micro = settings.micro_batch_blocks or self.share
        self.window = Window.empty(len(self.batches.languages))
        self.progress = Progress(0, run, {}, {"skipped_updates": 0, "skipped_in_a_row": 0, "gradient_norm": 0.0})
        keeping = processes.rank == 0 and settings.state != ""
        self.kept = processes.together(
            lambda: KeptRun(settings.output, open_folder(settings.state)) if keeping else None
        )
        self.journal = Journal(settings, processes, self.batches, model, self.kept.tell if self.kept else None)
        self.writer = CheckpointWriter(self.kept.send_checkpoint if self.kept else None)
        self.stopping = False

    def run(self) -> None:
        """Train to the last step from wherever the newest checkpoint stands.  Raises Stopped after a signal."""
        # SIGUSR1: a scheduler's warning before the time is up.  SIGINT: Ctrl-C; given twice, it does not wait.
        for warning in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(warning, self._ask_to_stop)
        self._resume()
        self.learner.start()
        self.processes.together(lambda: self.journal.begin(self.progress.step))
        if self.processes.rank == 0:
            on_gpu, config = self.processes.device.type == "cuda", self.learner.model.encoder.config
            log.info("memory: %s", memory_of(config, self.settings, self.processes.size, on_gpu))
        self.prefetch = Prefetch(self._share, self.progress.step, self.settings.prefetch_updates)
        try:
            if self.progress.step == 0 and self.settings.validate_first:
                self._validate()
            while self.progress.step < self.settings.steps:
                self._advance()
            self._finish()
        finally:
            self.prefetch.close()
            self.writer.close()
            self.journal.close()
            if self.kept:
                self.kept.close()

    def _open(self) -> tuple[Batches, MaskedLanguageModel, str]:
        """Everything that can be wrong on one process alone: files and settings."""
        settings = self.settings
        torch.manual_seed(settings.seed)
        size = len(Vocabulary.load(settings.vocabulary))
        if settings.start_from:
            model, config = load_checkpoint(Path(settings.start_from))
            if config.vocabulary_size != size:
                raise ValueError(f"{settings.start_from}: {config.vocabulary_size} ids, the vocabulary has {size}")
            if config.max_tokens < settings.block_tokens:
                raise ValueError(f"{settings.start_from}: blocks of {settings.block_tokens} tokens, its positions end "
                                 f"at {config.max_tokens}")  # fmt: skip
            trained = max(config.trained_tokens, settings.block_tokens)
        else:
            config = PRESETS[settings.model](size, max_tokens=max(512, settings.block_tokens))
            config = widened(config, settings.hidden or config.hidden)
            model, trained = None, settings.block_tokens
        config = replace(config, dropout=settings.dropout, trained_tokens=trained)
        if model is None:
            model = MaskedLanguageModel(config)
        model.set_dropout(settings.dropout)
        model.encoder.config = config
        batches = Batches(settings.blocks, settings.block_tokens, settings.alpha, settings.seed,
                          settings.cycle_samples, size, settings.validation_blocks)  # fmt: skip
        digest = {"settings": settings.bound(), "inputs": _input_digests(settings), "config": asdict(config)}
        return batches, model, run_digest(digest)

    def _resume(self) -> None:
        """From the newest whole checkpoint that any host has, which its process sends to all."""
        processes = self.processes
        runs = processes.gather((self.progress.run, processes.name))
        for run, name in runs:
            if run != runs[0][0]:
                raise ValueError(f"{name} has other settings or data than {runs[0][1]}: give all the same")
        folder = self.settings.output / "checkpoints"
        if self.settings.state:  # what is kept decides, not what an earlier attempt left on some host
            processes.together(lambda: self.kept.bring() if self.kept else None)
        looking = (processes.rank if self.settings.state else processes.local_rank) == 0  # one reads a host's disk
        found = processes.together(lambda: newest(folder, self.progress.run) if looking else None)
        steps = processes.gather(found.progress.step if found else -1)
        if max(steps) < 0:
            return
        source = steps.index(max(steps))
        self.progress = processes.gather(found.progress if found else self.progress)[source]
        self.learner.restore(found.tensors if found and processes.rank == source else None, source)
        self.window = Window.of(self.progress.window)
        if processes.rank == 0:
            log.info("going on from update %d", self.progress.step)

    def _share(self, step: int) -> Share:
        """This process's part of an update; made ahead, in a thread."""
        first = step * self.settings.batch_blocks + self.processes.rank * self.share
        starts = range(0, self.share, self.micro) if step < self.settings.steps else ()
        parts = [self.batches.take(first + start, min(self.micro, self.share - start)) for start in starts]
        targets_L = torch.zeros(len(self.batches.languages), dtype=torch.float64)
        for part in parts:
            targets_L.index_add_(0, part.languages_B, (part.targets_BS != IGNORED).sum(1).double())
        return Share([part.to(self.processes.device) for part in parts], targets_L)

    def _advance(self) -> None:
        """One update, and what is due after it."""
        settings, step = self.settings, self.progress.step
        share, targets_L, stop = self._next_share()
        outcome = self.learner.compute(step, share.parts, float(targets_L.sum()))
        self._judge(outcome, targets_L)
        step += 1
        self.progress = replace(self.progress, step=step)
        last = step == settings.steps
        if step % settings.log_steps == 0 or last:
            self.journal.write(step, self.window, self.prefetch.waited_s, self.progress.history)
            self.window = Window.empty(len(self.batches.languages))
        if step % settings.validation_steps == 0 or last:
            self._validate()
        if settings.milestone_steps and step % settings.milestone_steps == 0:
            self._save_weights(settings.output / "milestones" / f"step-{step:08d}")
        if stop or step % settings.checkpoint_steps == 0 or last:
            self._save()
        if stop and not last:
            self.processes.together(self.writer.wait)
            raise Stopped(f"stopped after update {step}")

    def _validate(self) -> None:
        if sum(self.batches.held_out):
            row = validate(self.learner, self.batches, self.progress.step)
            self.journal.write_validation(row, self.progress.history)

    def _next_share(self) -> tuple[Share, torch.Tensor, bool]:
        """(share, targets of all processes by language, whether to stop); where one process has no batch, all raise."""
        failure: Exception | None = None
        share = Share((), torch.zeros(len(self.batches.languages), dtype=torch.float64))
        try:
            share = self.prefetch.take()
        except Exception as error:
            failure = error
        flags = torch.tensor([self.stopping, failure is not None], dtype=torch.float64)
        told = self.processes.sum(torch.cat([share.targets_L, flags]))
        if told[-1]:
            self.processes.agree(failure)
        return share, told[:-2], bool(told[-2])

    def _judge(self, outcome: Outcome, targets_L: torch.Tensor) -> None:
        """Take the step, or leave it out by the stated policy.  Raises NotFinite."""
        history, step = self.progress.history, self.progress.step
        fault = self._fault(outcome)
        if fault is None:
            self.learner.take_step(step, outcome.gradient_norm)
            history["skipped_in_a_row"] = 0
            taken = step - history["skipped_updates"]
            past = min(SPIKE_MEMORY, taken / (taken + 1))
            history["gradient_norm"] = past * history["gradient_norm"] + (1 - past) * outcome.gradient_norm
            self.window = self.window.plus(outcome.loss_nats_L.tolist(), targets_L.tolist(), outcome.gradient_norm)
            return
        history["skipped_updates"] += 1
        history["skipped_in_a_row"] += 1
        if history["skipped_in_a_row"] > self.settings.max_skipped_updates:
            raise NotFinite(
                f"update {step + 1}: {fault}. Nothing of it is kept, the last checkpoint stands. Lower "
                f"peak_learning_rate, or raise max_skipped_updates ({self.settings.max_skipped_updates})"
            )
        self.window = self.window.plus_skipped()
        log.warning("update %d left out: %s", step + 1, fault)

    def _fault(self, outcome: Outcome) -> str | None:
        """Why an update is not to be taken."""
        wrong = [name for name, loss in zip(self.batches.languages, outcome.loss_nats_L.tolist(), strict=True)
                 if not abs(loss) < float("inf")]  # fmt: skip
        if wrong:
            more = f" and {len(wrong) - 5} more languages" if len(wrong) > 5 else ""
            return f"the loss of {', '.join(wrong[:5])}{more} is not finite"
        if not outcome.is_finite:
            return f"the gradient's norm is {outcome.gradient_norm}, though the loss is finite"
        usual, history = self.progress.history["gradient_norm"], self.progress.history
        factor, seen = self.settings.spike_factor, self.progress.step - history["skipped_updates"]
        if factor and seen >= SPIKE_FROM and outcome.gradient_norm > factor * usual:
            return f"the gradient's norm {outcome.gradient_norm:.4g} is above {factor:g} times the mean {usual:.4g}"
        return None

    def _save(self) -> None:
        """A checkpoint, in a thread; only of finite weights."""
        processes = self.processes
        processes.together(self.learner.check_finite)
        writing = processes.local_rank == 0 if self.settings.checkpoints_on_every_host else processes.rank == 0
        progress = replace(self.progress, window=self.window.as_json(), history=dict(self.progress.history))
        folder, keep = self.settings.output / "checkpoints", self.settings.keep_checkpoints
        processes.together(self.writer.wait)  # the last one's copy is given up before this one's is made
        tensors = self.learner.state(writing)
        processes.together(lambda: self.writer.save(folder, progress, tensors, keep) if writing else None)

    def _save_weights(self, folder: Path) -> None:
        self.processes.together(self.learner.check_finite)
        config = self.learner.model.encoder.config
        writing = self.processes.rank == 0
        weights = self.learner.weights(writing)
        self.processes.together(lambda: save_final_weights(weights, config, folder) if writing else None)
        if kept := self.kept:
            self.writer.run(lambda: kept.send_folder(folder))

    def _finish(self) -> None:
        self._save_weights(self.settings.output / "final")
        self.processes.together(self.writer.wait)
        self.journal.write_summary(self.progress.history)
        if self.settings.state:
            self.processes.together(lambda: self.kept.finish() if self.kept else None)

    def _ask_to_stop(self, number: int, _: object) -> None:
        self.stopping = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _input_digests(settings: PretrainSettings) -> dict[str, str]:
    """Of the inputs' bytes: as stated, else read."""
    paths = {"vocabulary": [settings.vocabulary]}
    paths["blocks"] = [path for _, files in sorted(settings.blocks.items()) for path in files]
    if settings.start_from:
        paths["start_from"] = sorted(path for path in Path(settings.start_from).iterdir() if path.is_file())
    languages = run_digest({language: len(files) for language, files in settings.blocks.items()})
    stated = settings.input_digests
    unknown = sorted(set(stated) - set(paths))
    if unknown:
        raise ValueError(f"input_digests of {', '.join(unknown)}: there are {', '.join(paths)}")
    read = {name: run_digest([sha256(path) for path in files]) for name, files in paths.items() if name not in stated}
    return read | stated | {"languages": languages}
