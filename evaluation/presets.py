"""Ready settings of each benchmark: the paper's, and short ones for tiny and small models."""

from __future__ import annotations

from dataclasses import replace

from evaluation.benchmarks import benchmark_named
from evaluation.settings import ONE_FOR_ALL, FinetuneConfig


def preset(name: str, benchmark: str, seed: int = 1, setting: str = "", selection: str = "") -> FinetuneConfig:
    """`tiny` for the embedded run, `small` for a small model on thousands of examples, `paper` for real sizes.

    An empty setting is the benchmark's first; an empty selection the preset's, and `joint` for one model of all.

    Raises ValueError.
    """
    known = benchmark_named(benchmark)
    if name == "tiny":
        config = FinetuneConfig(epochs=6, batch=16, learning_rate=1e-3, max_tokens=128)
    elif name == "small":
        config = FinetuneConfig(epochs=4, batch=32, learning_rate=2e-4, max_tokens=128)
    elif name == "paper":
        config = known.finetuning
    else:
        raise ValueError(f"preset {name!r}: wanted tiny, small or paper")
    chosen = setting or known.settings[0]
    if chosen not in known.settings:
        raise ValueError(f"{benchmark} has no setting {chosen!r}: wanted {', '.join(known.settings)}")
    rule = selection or ("joint" if chosen in ONE_FOR_ALL else config.selection)
    return replace(config, seed=seed, setting=chosen, selection=rule)  # type: ignore[arg-type]
