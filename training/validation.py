"""Loss and perplexity of each language on its held-out blocks, which are masked alike each time."""

from __future__ import annotations

from typing import Any

import torch

from training.batches import Batches
from training.errors import NotFinite
from training.learner import Learner, by_language
from training.masking import IGNORED
from training.metrics import perplexity

BLOCKS = 32  # of one forward pass, ours


@torch.no_grad()
def validate(learner: Learner, batches: Batches, step: int) -> dict[str, Any]:
    """The row of validation.jsonl after `step` updates; the processes share the blocks.  Raises NotFinite."""
    processes, languages = learner.processes, len(batches.languages)
    learner.model.eval()
    sums_2L = torch.zeros(2, languages, dtype=torch.float64)
    total = sum(batches.held_out)
    for turn in range(0, total, processes.size * BLOCKS):
        first = turn + processes.rank * BLOCKS
        used = first < total
        if not used and not learner.sharded:  # a pass gathers sharded weights: each process has as many
            break
        first = first if used else 0
        part = batches.validation(first, min(BLOCKS, total - first))
        counts_B = (part.targets_BS != IGNORED).sum(1)
        loss_B = learner.losses(part.to(processes.device)).cpu()
        if not used:
            continue
        sums_2L += torch.stack([by_language(values, part.languages_B, languages) for values in (loss_B, counts_B)])
    learner.model.train()
    losses, counts = processes.sum(sums_2L).tolist()
    found = {name: loss / n for name, loss, n in zip(batches.languages, losses, counts, strict=True) if n}
    mean = sum(losses) / sum(counts)
    if not torch.isfinite(torch.tensor([mean])).all():
        wrong = [name for name, loss in found.items() if not loss < float("inf")]
        raise NotFinite(f"validation after update {step}: the loss of {', '.join(wrong[:5])} is not finite")
    return {
        "step": step,
        "loss_nats": round(mean, 6),
        "perplexity": round(perplexity(mean), 4),
        "loss_nats_by_language": {name: round(loss, 6) for name, loss in found.items()},
        "perplexity_by_language": {name: round(perplexity(loss), 4) for name, loss in found.items()},
        "blocks": total,
    }
