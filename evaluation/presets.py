"""Ready settings of each benchmark: the paper's, and short ones for tiny and small models."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from evaluation.benchmarks import benchmark_named
from evaluation.settings import ONE_FOR_ALL, FinetuneConfig, Preset

# google-research/xtreme, scripts/train_xnli.sh, train_panx.sh, train_qa.sh; retrieval is not fine-tuned.
XTREME_SENTENCES = FinetuneConfig(epochs=5, batch=32, learning_rate=2e-5, warmup_fraction=0, max_tokens=128)
XTREME_TAGS = FinetuneConfig(epochs=10, batch=32, learning_rate=2e-5, warmup_fraction=0, max_tokens=128)
XTREME_ANSWERS = FinetuneConfig(epochs=3, batch=32, learning_rate=3e-5, weight_decay=1e-4, max_tokens=384)
XTREME = {"xnli": XTREME_SENTENCES, "pawsx": XTREME_SENTENCES, "panx": XTREME_TAGS, "mlqa": XTREME_ANSWERS,
          "xquad": XTREME_ANSWERS, "tydiqa": XTREME_ANSWERS}  # fmt: skip

# EuroEval/EuroEval, src/euroeval/finetuning.py and data_loading.py: a look at the dev set after each 30 of at most
# 10,000 updates, an end after two looks without gain, sets drawn with replacement in each of 10 iterations (seeds).
# A row may be as long as the model takes, at most 8,192 tokens (constants.py).  Ours stay the optimizer's betas, and
# that the dev metric is looked at, where EuroEval looks at the dev loss.
EUROEVAL = FinetuneConfig(epochs=333, updates_per_epoch=30, patience=2, batch=32, learning_rate=2e-5,
                          warmup_fraction=0.01, weight_decay=0.0, max_tokens=8192, bootstrap=True)  # fmt: skip


def preset(
    name: str,
    benchmark: str,
    seed: int = 1,
    setting: str = "",
    selection: str = "",
    learning_rates: tuple[float, ...] = (),
) -> FinetuneConfig:
    """`tiny` for the embedded run, `small` for a small model on thousands of examples, `paper` for real sizes, `xtreme`
    for XTREME's numbers on its benchmarks, `euroeval` for EuroEval's.

    An empty setting is the benchmark's first; an empty selection the preset's, and `joint` for one model of all.
    `learning_rates` are tried in place of the preset's one.

    Raises ValueError.
    """
    known = benchmark_named(benchmark)
    if name == "tiny":
        config = FinetuneConfig(epochs=6, batch=16, learning_rate=1e-3, max_tokens=128)
    elif name == "small":
        config = FinetuneConfig(epochs=4, batch=32, learning_rate=2e-4, max_tokens=128)
    elif name == "paper":
        config = known.finetuning
    elif name == "xtreme":
        if benchmark not in XTREME:
            raise ValueError(f"XTREME has no numbers of fine-tuning for {benchmark}: only for {', '.join(XTREME)}")
        config = XTREME[benchmark]
    elif name == "euroeval":
        config = EUROEVAL
    else:
        raise ValueError(f"preset {name!r}: wanted one of {', '.join(get_args(Preset))}")
    chosen = setting or known.settings[0]
    if chosen not in known.settings:
        raise ValueError(f"{benchmark} has no setting {chosen!r}: wanted {', '.join(known.settings)}")
    rule = selection or ("joint" if chosen in ONE_FOR_ALL else config.selection)
    return replace(config, seed=seed, setting=chosen, selection=rule, learning_rates=learning_rates)  # type: ignore[arg-type]
