"""FSDP2: weights, gradients and optimizer states split over the processes of a run, and whole where they are kept.

Each layer is a group of its own.  Everything else is the root's group: the word embeddings are also the head's matrix,
and torch from 2.13 on refuses a tied weight in two groups.  The weights stay float32 and products follow autocast, as
without sharding, so the same numbers come out up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from training.distributed import Processes
from training.model import MaskedLanguageModel

MOMENTS = ("exp_avg", "exp_avg_sq")


def shard(model: MaskedLanguageModel, processes: Processes) -> None:
    """Split the weights of the first process over all, in place."""
    mesh = init_device_mesh(processes.device.type, (processes.size,))
    for weight in model.parameters():
        processes.send(weight.detach(), 0)
    for layer in model.encoder.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def synchronise(model: nn.Module, last: bool) -> None:
    """Gradients are summed over the processes in the last part's backward pass only."""
    cast(FSDPModule, model).set_requires_gradient_sync(last)


def split_again(model: nn.Module) -> None:
    """After a forward pass without a backward one, which leaves the root's weights whole."""
    cast(FSDPModule, model).reshard()


def local(value: Tensor) -> Tensor:
    """This process's part of a weight or gradient; the tensor itself where it is not sharded."""
    return value.to_local() if isinstance(value, DTensor) else value


def gathered(value: Any, kept: bool) -> Any:
    """Whole tensors in CPU memory, in the same nest of dicts and lists; None for each where not `kept`.

    All processes must call it; one tensor at a time is whole on the device.
    """
    if isinstance(value, Tensor):
        whole = value.full_tensor().detach() if isinstance(value, DTensor) else value.detach()
        return whole.to("cpu", copy=True) if kept else None
    if isinstance(value, Mapping):
        return {name: gathered(part, kept) for name, part in value.items()}
    return [gathered(part, kept) for part in value] if isinstance(value, list) else value


def scatter(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Any] | None, processes: Processes,
    source: int,
) -> None:  # fmt: skip
    """Give each process its part of a whole state, which the process `source` has read; the others pass None."""
    for name, weight in model.named_parameters():
        _scatter(weight, tensors["model"][name] if tensors else None, processes, source)
    for index, weight in enumerate(_trained(model)):
        states = tensors["optimizer"]["state"] if tensors else {}
        read = states.get(index, {})  # empty: no update was applied yet
        state = optimizer.state[weight]
        device = local(weight).device
        state["step"] = torch.zeros((), device=device if device.type != "cpu" else "cpu")
        if "step" in read:
            state["step"].copy_(read["step"])
        processes.send(state["step"], source)
        for moment in MOMENTS:
            state[moment] = torch.zeros_like(weight.detach())
            whole = read.get(moment, torch.zeros(weight.shape)) if processes.rank == source else None
            _scatter(state[moment], whole, processes, source)


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (weight for weight in model.parameters() if weight.requires_grad)


def _scatter(into: Tensor, whole: Tensor | None, processes: Processes, source: int) -> None:
    device = processes.device
    sent = torch.empty(into.shape, device=device) if whole is None else whole.to(device).contiguous()
    processes.send(sent, source)
    if isinstance(into, DTensor):
        sent = distribute_tensor(sent, into.device_mesh, into.placements, src_data_rank=None).to_local()
    with torch.no_grad():
        local(into.detach()).copy_(sent)
