"""Batches of rows of like length, so that little is padded; padded rows have a mask, others none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluation.features import IGNORED, Feature
from evaluation.heads import Batch

POOL_BATCHES = 50  # shuffled rows are sorted within so many batches at a time
PREDICTED_TOGETHER = 4  # batches of prediction hold this many times the tokens of one of training


def training_order(lengths: Sequence[int], batch: int, seed: int, turn: int) -> list[list[int]]:
    """Places of rows, batch by batch, for one pass; another order for every seed and turn."""
    chance = torch.Generator().manual_seed(seed * 1_000_003 + turn)
    order = torch.randperm(len(lengths), generator=chance).tolist()
    pool = batch * POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        near = sorted(order[start : start + pool], key=lambda place: lengths[place])
        batches += [near[at : at + batch] for at in range(0, len(near), batch)]
    return [batches[place] for place in torch.randperm(len(batches), generator=chance).tolist()]


def prediction_order(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Places of rows from the longest to the shortest, at most `max_tokens` tokens with padding in a batch."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    batches: list[list[int]] = []
    for place in order:
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > max_tokens:
            batches.append([])
        batches[-1].append(place)
    return batches


def collate(rows: Sequence[Feature], pad: int, device: torch.device, real: bool) -> Batch:
    """Rows padded to the longest; targets padded with what the loss leaves out.  `real`: targets are numbers."""
    widths = [len(row.ids) for row in rows]
    padded = min(widths) < max(widths)
    ids_BT = _padded([row.ids for row in rows], pad, torch.long)
    target = _padded([row.target for row in rows], IGNORED, torch.float32 if real else torch.long)
    mask_BT = torch.arange(max(widths)) < torch.tensor(widths)[:, None] if padded else None
    types_BT = _padded([row.types for row in rows], 0, torch.long) if rows[0].types else None
    moved = [part.to(device, non_blocking=True) if part is not None else None for part in (mask_BT, types_BT)]
    return Batch(ids_BT.to(device, non_blocking=True), target.to(device, non_blocking=True), *moved)


def _padded(rows: Sequence[Sequence[float]], filling: int, kind: torch.dtype) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (width - len(row))] for row in rows], dtype=kind)
