"""A process's share of the n-th update, as tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.blocks import SPECIALS, open_blocks
from training.masking import mask_block
from training.order import Order
from training.vocabulary import BOS, EOS

# B batch, T tokens, S slots


@dataclass(frozen=True, slots=True)
class Batch:
    """Masked ids, and for every slot where it lies in the flattened (B*T) batch and which id belongs there."""

    ids_BT: Tensor
    positions_BS: Tensor
    targets_BS: Tensor

    def to(self, device: torch.device) -> Batch:
        moved = (tensor.to(device, non_blocking=True) for tensor in (self.ids_BT, self.positions_BS, self.targets_BS))
        return Batch(*moved)


class Batches:
    """Blocks of all languages, drawn and masked by global sample index."""

    def __init__(
        self,
        blocks: Mapping[str, Path],
        block_tokens: int,
        alpha: float,
        seed: int,
        cycle: int,
        vocabulary_size: int,
    ) -> None:
        opened = {language: open_blocks(path, block_tokens) for language, path in sorted(blocks.items())}
        self.order = Order({language: len(rows) for language, rows in opened.items()}, alpha, seed, cycle)
        self.rows = [opened[language] for language in self.order.languages]
        self.block_tokens = block_tokens
        self.seed = seed
        self.vocabulary_size = vocabulary_size

    def take(self, first: int, count: int) -> Batch:
        """The samples first .. first + count - 1."""
        samples = np.arange(first, first + count)
        draws = self.order.draw(samples)
        masked = [
            mask_block(
                self._block(language, block),
                seed=self.seed,
                sample=int(sample),
                vocabulary_size=self.vocabulary_size,
                mask_id=self.vocabulary_size - 1,
            )
            for sample, language, block in zip(samples, draws.language, draws.block, strict=True)
        ]
        offsets_B1 = np.arange(count)[:, None] * self.block_tokens
        return Batch(
            torch.from_numpy(np.stack([block.ids_T for block in masked])),
            torch.from_numpy(np.stack([block.positions_S for block in masked]) + offsets_B1),
            torch.from_numpy(np.stack([block.targets_S for block in masked])),
        )

    def tokens_by_language(self, samples: int) -> dict[str, int]:
        """Tokens of the first `samples` samples, by language."""
        counts: Counter[str] = Counter()
        for first in range(0, samples, self.order.cycle):
            draws = self.order.draw(np.arange(first, min(samples, first + self.order.cycle)))
            for language, times in enumerate(np.bincount(draws.language, minlength=len(self.rows))):
                counts[self.order.languages[language]] += int(times) * self.block_tokens
        return dict(sorted(counts.items()))

    def _block(self, language: int, block: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        ids_T = np.empty(self.block_tokens, np.int64)
        ids_T[0], ids_T[-1] = BOS, EOS
        ids_T[1 : self.block_tokens - SPECIALS + 1] = self.rows[language][block]
        return ids_T
