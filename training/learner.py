"""The model that learns, with its optimizer: one update from a process's share of the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from training import sharding
from training.batches import Batch
from training.distributed import Processes
from training.errors import NotFinite
from training.model import MaskedLanguageModel
from training.optimizer import learning_rate, make_optimizer
from training.settings import PretrainSettings

# B batch, T tokens, S slots, V vocabulary, M = B * S, L languages
BUCKET_MB = 100  # the tied matrix is one large gradient anyway; fewer, larger messages


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one update: sums of losses by language over all processes, and the norm of the whole gradient."""

    loss_nats_L: Tensor
    gradient_norm: float

    @property
    def is_finite(self) -> bool:
        return bool(torch.isfinite(self.loss_nats_L).all()) and self.gradient_norm < float("inf")


class Learner:
    """Computes an update's gradient and takes the step; the caller judges in between."""

    def __init__(
        self, settings: PretrainSettings, processes: Processes, model: MaskedLanguageModel, languages: int
    ) -> None:
        self.settings, self.processes = settings, processes
        self.model = model.to(processes.device)
        self.model.encoder.activation_checkpointing = settings.activation_checkpointing
        self.sharded = settings.sharding == "full" and processes.size > 1
        if self.sharded:
            sharding.shard(self.model, processes)
        self.optimizer = make_optimizer(self.model, settings.betas, settings.epsilon, settings.weight_decay)
        self._languages = languages
        self._parallel: nn.Module | None = None

    def start(self) -> None:
        """Once the weights are those to start from: compile, and let DDP send them to all processes."""
        model: Any = self.model
        on_gpu = self.processes.device.type == "cuda"
        if self.settings.compile == "on" or (self.settings.compile == "auto" and on_gpu):
            if self.sharded:  # layer by layer: between them weights are gathered
                for layer in self.model.encoder.layers:
                    layer.forward = torch.compile(layer.forward, dynamic=False)
            else:
                model = torch.compile(model, dynamic=False)
        if self.processes.size > 1 and not self.sharded:
            ids = [self.processes.device.index] if on_gpu else None
            model = DistributedDataParallel(
                model, device_ids=ids, gradient_as_bucket_view=True, bucket_cap_mb=BUCKET_MB
            )
        self._parallel = model

    def compute(self, step: int, parts: Sequence[Batch], targets: float) -> Outcome:
        """The gradient of the mean loss over all `targets` of the update, which the parts of all processes make up."""
        settings, size = self.settings, self.processes.size
        torch.manual_seed(((settings.seed * 1_000_003 + step) * 65_537 + self.processes.rank) % 2**63)  # dropout
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        summed_L = torch.zeros(self._languages, dtype=torch.float64, device=self.processes.device)
        for index, part in enumerate(parts):
            with self._synchronising(index == len(parts) - 1):
                loss_B = self.losses(part)
                # DDP averages gradients over processes; the loss is the mean over all targets of the update.
                (loss_B.sum() * (size / targets)).backward()  # type: ignore[no-untyped-call]
            summed_L += by_language(loss_B.detach(), part.languages_B, self._languages)
        norm = self._gradient_norm()
        told = self.processes.sum(torch.cat([summed_L, norm.double().reshape(1) / size])).cpu()
        return Outcome(told[:-1], float(told[-1]))

    def take_step(self, step: int, gradient_norm: float) -> None:
        settings = self.settings
        if settings.clip_norm:
            norm = torch.tensor(gradient_norm, dtype=torch.float32, device=self.processes.device)
            torch._foreach_mul_(self._gradients(), (settings.clip_norm / (norm + 1e-6)).clamp(max=1.0))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, settings.peak_learning_rate, settings.warmup_steps, settings.steps)
        self.optimizer.step()

    def losses(self, part: Batch) -> Tensor:
        """loss_B: the sum of each block's losses."""
        model = self.model if self._parallel is None or not self.model.training else self._parallel
        with autocast(self.settings, self.processes.device):
            loss_M: Tensor = model(part.ids_BT, part.positions_BS, part.targets_BS)
        if self.sharded and not self.model.training:
            sharding.split_again(self.model)
        return loss_M.view(part.targets_BS.shape).sum(1)

    def check_finite(self) -> None:
        """Raises NotFinite with the weight's name; of sharded weights, each process checks its own part."""
        for name, weight in self.model.named_parameters():
            if not torch.isfinite(sharding.local(weight.detach())).all():
                raise NotFinite(f"weight {name} holds a number that is not finite: it is not kept")

    def weights(self, kept: bool) -> dict[str, Tensor]:
        """All weights whole, for a process that keeps them.  All processes must call it."""
        state = self.model.state_dict()
        return sharding.gathered(state, kept) if self.sharded else state

    def state(self, kept: bool) -> dict[str, Any]:
        """The same whether sharded or not: a run goes on from it either way.  All processes must call it."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return sharding.gathered(state, kept) if self.sharded else state

    def restore(self, read: Callable[[torch.device], dict[str, Any]] | None, source: int) -> None:
        """Weights and optimizer that the process `source` reads (the others pass None), on all."""
        processes = self.processes
        device = torch.device("cpu") if self.sharded else processes.device
        tensors = processes.together(lambda: read(device) if read else None)
        if self.sharded:
            sharding.scatter(self.model, self.optimizer, tensors, processes, source)
            return
        processes.together(lambda: self._load(tensors) if tensors else None)
        if processes.size > 1:
            self._receive(source)

    def _load(self, tensors: dict[str, Any]) -> None:
        self.model.load_state_dict(tensors["model"])
        self.optimizer.load_state_dict(tensors["optimizer"])

    def _receive(self, source: int) -> None:
        """Weights and optimizer of the process `source`, on all."""
        for weight in self.model.parameters():
            self.processes.send(weight.detach(), source)
        for weight in (weight for weight in self.model.parameters() if weight.requires_grad):
            state = self.optimizer.state[weight]
            for name, like in (("step", torch.zeros(())), ("exp_avg", weight), ("exp_avg_sq", weight)):
                if name not in state:
                    where = weight.device if name != "step" or weight.is_cuda else torch.device("cpu")
                    state[name] = torch.zeros_like(like.detach(), dtype=torch.float32, device=where)
                self.processes.send(state[name], source)

    def _gradients(self) -> list[Tensor]:
        """This process's: whole ones, or its parts."""
        return [sharding.local(weight.grad) for weight in self.model.parameters() if weight.grad is not None]

    def _gradient_norm(self) -> Tensor:
        """Of the whole gradient, on all processes."""
        norm = torch.nn.utils.get_total_norm(self._gradients())
        if not self.sharded:
            return norm
        return self.processes.sum(norm.double().square()).sqrt()

    def _synchronising(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients are exchanged in the last part's backward pass only."""
        if self.sharded:
            sharding.synchronise(self.model, last)
        if last or not isinstance(self._parallel, DistributedDataParallel):
            return nullcontext()
        synchronised: AbstractContextManager[Any] = self._parallel.no_sync()
        return synchronised


def autocast(settings: PretrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 products of float32 weights, where that is asked for."""
    wanted = settings.precision == "bfloat16" or (settings.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()


def by_language(values_B: Tensor, languages_B: Tensor, languages: int) -> Tensor:
    """Float64 sums by language, in the order of the batch."""
    one_hot_BL = functional.one_hot(languages_B, languages).double()
    return values_B.double() @ one_hot_BL
