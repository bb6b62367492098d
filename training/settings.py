"""The settings of a pretraining run, as its JSON file holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from training.model import PRESETS


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """One run.  Defaults are the paper's where it says them, else RoBERTa's recipe for a batch of 8192."""

    vocabulary: Path
    """SentencePiece model file."""
    blocks: dict[str, Path]
    """language -> .npy of blocks."""
    output: Path
    """folder for metrics.jsonl, checkpoints/, final/, summary.json."""
    model: str = "base"
    """tiny, base or large."""
    block_tokens: int = 512
    """tokens of a block, <s> and </s> included."""
    batch_blocks: int = 8192
    """blocks of one update over all processes."""
    micro_batch_blocks: int = 0
    """blocks of one forward pass of one process; 0: its whole share."""
    steps: int = 1_500_000
    """updates."""
    peak_learning_rate: float = 6e-4
    """highest learning rate (RoBERTa Base)."""
    warmup_steps: int = 24_000
    """updates over which the rate rises."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Adam's decay rates (RoBERTa)."""
    epsilon: float = 1e-6
    """Adam's epsilon (RoBERTa)."""
    weight_decay: float = 0.01
    """decoupled decay of all parameters (fairseq)."""
    clip_norm: float = 0.0
    """largest gradient norm; 0: not clipped (fairseq's RoBERTa)."""
    alpha: float = 0.3
    """exponent of language sampling."""
    cycle_samples: int = 1 << 16
    """samples in which each language's share is met exactly."""
    dropout: float = 0.1
    """dropout everywhere."""
    seed: int = 1
    """seed of weights, order, masks and dropout."""
    checkpoint_steps: int = 1000
    """updates between checkpoints."""
    keep_checkpoints: int = 2
    """checkpoints kept."""
    log_steps: int = 10
    """updates of one line of metrics."""
    bfloat16: bool = True
    """autocast to bfloat16 on a GPU (never on a CPU)."""
    compile: bool = True
    """torch.compile on a GPU (never on a CPU)."""
    threads: int = 1
    """CPU threads of one process; sums of floats depend on it."""
    extra: dict[str, Any] = field(default_factory=dict)
    """notes that are kept with the run and change nothing."""

    def __post_init__(self) -> None:
        if self.model not in PRESETS:
            raise ValueError(f"model {self.model!r}: wanted one of {', '.join(PRESETS)}")
        if not self.blocks:
            raise ValueError("no blocks: wanted at least one language")
        for name in (
            "block_tokens",
            "batch_blocks",
            "steps",
            "checkpoint_steps",
            "log_steps",
            "keep_checkpoints",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: wanted 1 or more")


def read_settings(path: Path, output: Path | None = None) -> PretrainSettings:
    """Settings of a JSON file.  Raises ValueError with one line."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}: wanted a JSON file of settings") from error
    known = {one.name for one in fields(PretrainSettings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if output is not None:
        values["output"] = output
    missing = [name for name in ("vocabulary", "blocks", "output") if name not in values]
    if missing:
        raise ValueError(f"{path}: {', '.join(missing)} missing")
    values["vocabulary"], values["output"] = Path(values["vocabulary"]), Path(values["output"])
    values["blocks"] = {language: Path(place) for language, place in values["blocks"].items()}
    if "betas" in values:
        values["betas"] = tuple(values["betas"])
    return PretrainSettings(**values)
