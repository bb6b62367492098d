"""A process's share of the n-th update, as tensors; and the held-out blocks, always masked alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.blocks import SPECIALS, open_blocks
from training.ids import BOS, EOS
from training.masking import mask_blocks
from training.order import Order, permute

# B batch, T tokens, S slots
HELD_OUT_SHARE = 10  # at most one block in ten is held out, ours


@dataclass(frozen=True, slots=True)
class Batch:
    """Masked ids, for every slot where it lies in the flattened (B*T) batch and which id belongs there, and the index
    of each block's language."""

    ids_BT: Tensor
    positions_BS: Tensor
    targets_BS: Tensor
    languages_B: Tensor

    def to(self, device: torch.device) -> Batch:
        tensors = (self.ids_BT, self.positions_BS, self.targets_BS, self.languages_B)
        if device.type == "cuda":
            with torch.cuda.device(device):  # a thread's own device is the first one
                return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in tensors))
        return Batch(*(tensor.to(device) for tensor in tensors))


class Batches:
    """Blocks of all languages, drawn and masked by global sample index.

    `held_out` blocks of each language (at most a tenth of them) are never drawn and are there for validation.
    Neighbouring blocks may share a document, so held-out text is not new to the last word.
    """

    def __init__(
        self,
        blocks: Mapping[str, Sequence[Path]],
        block_tokens: int,
        alpha: float,
        seed: int,
        cycle: int,
        vocabulary_size: int,
        held_out: int = 0,
    ) -> None:
        opened = {language: open_blocks(paths, block_tokens) for language, paths in sorted(blocks.items())}
        aside = {language: min(held_out, len(rows) // HELD_OUT_SHARE) for language, rows in opened.items()}
        self.order = Order({name: len(rows) - aside[name] for name, rows in opened.items()}, alpha, seed, cycle)
        self.languages = self.order.languages
        self.rows = [opened[language] for language in self.languages]
        self.held_out = [aside[language] for language in self.languages]
        self.block_tokens = block_tokens
        self.seed = seed
        self.vocabulary_size = vocabulary_size

    def take(self, first: int, count: int) -> Batch:
        """The samples first .. first + count - 1."""
        samples = np.arange(first, first + count)
        draws = self.order.draw(samples)
        return self._batch(samples, draws.language, draws.block, held_out=False)

    def validation(self, first: int, count: int) -> Batch:
        """The held-out blocks first .. first + count - 1, of all languages in order."""
        samples = np.arange(first, first + count)
        ends = np.cumsum(self.held_out)
        languages = np.searchsorted(ends, samples, "right")
        within = samples - (ends - np.array(self.held_out))[languages]
        return self._batch(samples, languages, within, held_out=True)

    def tokens_by_language(self, samples: int) -> dict[str, int]:
        """Tokens of the first `samples` samples, by language."""
        return {name: times * self.block_tokens for name, times in self.order.draws_of_first(samples).items()}

    def _batch(
        self, samples: NDArray[np.int64], languages: NDArray[np.int64], blocks: NDArray[np.int64], *, held_out: bool
    ) -> Batch:
        ids_BT = np.empty((len(samples), self.block_tokens), np.int64)
        ids_BT[:, 0], ids_BT[:, -1] = BOS, EOS
        for language in np.unique(languages):
            at = np.flatnonzero(languages == language)
            rows = self.rows[language]
            for row, block in zip(at, self._places(language, blocks[at], held_out), strict=True):
                ids_BT[row, 1 : self.block_tokens - SPECIALS + 1] = rows[block]
        if ids_BT.size and (highest := int(ids_BT.max())) >= self.vocabulary_size:
            raise ValueError(f"blocks hold the id {highest}, the vocabulary has {self.vocabulary_size}: encode again")
        masked = mask_blocks(
            ids_BT,
            samples,
            seed=-1 - self.seed if held_out else self.seed,  # other masks than training's
            vocabulary_size=self.vocabulary_size,
            mask_id=self.vocabulary_size - 1,
        )
        offsets_B1 = np.arange(len(samples))[:, None] * self.block_tokens
        arrays = (masked.ids_BT, masked.positions_BS + offsets_B1, masked.targets_BS, languages)
        return Batch(*(torch.from_numpy(array) for array in arrays))

    def _places(self, language: int, blocks: NDArray[np.int64], held_out: bool) -> list[int]:
        """Where drawn blocks lie: the first of a permutation of all are the held-out ones, the others are drawn."""
        if not self.held_out[language]:
            return list(blocks.tolist())
        shifted = blocks if held_out else blocks + self.held_out[language]
        key = f"{self.seed}/held-out/{self.languages[language]}"
        return list(permute(shifted, len(self.rows[language]), key).tolist())
