"""How a benchmark is fine-tuned: numbers of the optimiser, what is trained on, and by what the epoch is chosen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Setting = Literal["transfer", "translate-test", "translate-train", "translate-train-all", "each", "all", "frozen"]
Selection = Literal["source", "joint", "per-language"]
Preset = Literal["tiny", "small", "paper", "xtreme", "euroeval"]

SETTINGS: dict[Setting, str] = {
    "transfer": "trained on the source language, scored on every language",
    "translate-test": "trained on the source language, scored on test sets translated into it",
    "translate-train": "a model for each language, trained on the training set translated into it",
    "translate-train-all": "one model, trained on the training sets of all languages",
    "each": "a model for each language, trained on its own training set",
    "all": "one model, trained on the training sets of all languages",
    "frozen": "no fine-tuning",
}
ONE_FOR_ALL = ("all", "translate-train-all")
SELECTIONS: dict[Selection, str] = {
    "source": "the epoch that is best on the source language's dev set (a language's own, where each has its model)",
    "joint": "the epoch that is best on the mean of all dev sets: one model",
    "per-language": "for each language the epoch that is best on its dev set: N models",
}


NOT_STATED_IF_OFF = ("bootstrap", "compile")  # digests of earlier settings stay what they were


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """One fine-tuning.

    An epoch is a pass over the training set, or `updates_per_epoch` batches where that is not 0.  `patience` epochs
    without a better dev score end the training (0: never).  `layer_share` is for retrieval alone: the layer at this
    share of the depth, whose mean over tokens stands for a sentence (XTREME: layer 8 of 12).  With `learning_rates`
    each is tried in turn, and the one with the best dev score is taken in place of `learning_rate`.  `bootstrap`:
    training, dev and test sets are drawn with replacement, anew for each seed.  `compile`: with torch.compile.
    """

    seed: int = 1
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-5
    warmup_fraction: float = 0.06
    weight_decay: float = 0.01
    max_tokens: int = 256
    threads: int = 1
    setting: Setting = "transfer"
    selection: Selection = "source"
    updates_per_epoch: int = 0
    patience: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    layer_share: float = 2 / 3
    learning_rates: tuple[float, ...] = ()
    bootstrap: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a setting or selection that does not exist."""
        if self.setting not in SETTINGS:
            raise ValueError(f"setting {self.setting!r}: wanted {', '.join(SETTINGS)}")
        if self.selection not in SELECTIONS:
            raise ValueError(f"selection {self.selection!r}: wanted {', '.join(SELECTIONS)}")

    def digest(self) -> str:
        """Of all settings but the seed and the number of threads, 16 letters."""
        stated = {name: value for name, value in asdict(self).items()
                  if name not in ("seed", "threads") and not (name in NOT_STATED_IF_OFF and not value)}  # fmt: skip
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:16]
