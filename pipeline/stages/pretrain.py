"""Masked-LM pretraining under torchrun, with checkpoints that another attempt goes on from (paper section 3)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import EmptyOutput
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.train_vocabulary import MODEL
from pipeline.torchrun import torchrun

TINY_CYCLE = 4096  # a short run should meet every language's share too
# What depends on the machine's speed and so is no part of the artifacts, which are the same on every run.
SPEEDS = ("tokens_per_s", "seconds")


class PretrainConfig(StageConfig):
    model: Literal["tiny", "base", "large"] = Field(default="tiny", description="size of the encoder")
    block_tokens: int = Field(default=128, ge=16, description="tokens of one block (paper: 512)")
    batch_blocks: int = Field(default=32, ge=1, description="blocks of one update over all processes (paper: 8,192)")
    steps: int = Field(default=400, ge=1, description="updates (paper: 1,500,000)")
    peak_learning_rate: float = Field(default=1e-3, gt=0, description="highest learning rate")
    warmup_steps: int = Field(default=40, ge=0, description="updates over which the learning rate rises")
    checkpoint_steps: int = Field(default=50, ge=1, description="updates between two checkpoints")
    processes: int = Field(default=2, ge=1, description="torchrun processes; sums of floats depend on it")
    alpha: float = Field(default=0.3, gt=0, le=1, description="exponent of language sampling (paper: 0.3)")
    seed: int = Field(default=1, ge=0, description="seed of weights, order, masks and dropout")


def pretrain(config: PretrainConfig, inputs: Inputs, draft: Draft) -> None:
    state = draft.state()
    output = state.folder
    request = draft.scratch("request") / "config.json"
    request.write_text(json.dumps(_request(config, inputs, output), indent=1, sort_keys=True))
    metrics = output / "metrics.jsonl"

    def on_tick() -> None:
        state.keep()
        draft.progress(_last_step(metrics), config.steps, "updates")

    torchrun(["-m", "training", "pretrain", "--config", str(request)], processes=config.processes, on_tick=on_tick)
    summary = json.loads((output / "summary.json").read_text())
    for path in sorted((output / "final").iterdir()):
        shutil.copyfile(path, draft.path(f"final/{path.name}"))
    rows = [_without_speeds(json.loads(line)) for line in metrics.read_text().splitlines()]
    draft.path("metrics.jsonl").write_text("".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows))
    draft.write_json("summary.json", _without_speeds(summary))
    draft.add({"updates": config.steps, "tokens": config.steps * config.batch_blocks * config.block_tokens})
    draft.add({"parameters": int(summary["parameters"]), "tokens_per_s": round(summary["tokens_per_s"])})


def _request(config: PretrainConfig, inputs: Inputs, output: Path) -> dict[str, Any]:
    """The config file of `python -m training pretrain`."""
    encoded = [manifest for manifest in inputs.of("encode") if manifest.counts["blocks"]]
    if not encoded:
        raise EmptyOutput("no language has a whole block of tokens: take more text or smaller blocks")
    blocks = {manifest.unit: inputs.paths(manifest) for manifest in encoded}
    chosen = config.model_dump(exclude={"processes"})
    return chosen | {
        "cycle_samples": TINY_CYCLE if config.model == "tiny" else 1 << 16,
        "vocabulary": str(inputs.path(inputs.one("train_vocabulary"), MODEL)),
        "blocks": {language: str(paths["blocks.npy"]) for language, paths in blocks.items()},
        "output": str(output),
    }


def _last_step(metrics: Path) -> int:
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    try:
        return int(json.loads(lines[-1])["step"]) if lines else 0
    except ValueError:  # the line is being written
        return 0


def _without_speeds(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SPEEDS}


STAGE = Stage(
    name="pretrain",
    version=1,
    config=PretrainConfig,
    body=pretrain,
    needs={"encode": Match.ALL, "train_vocabulary": Match.ALL},
    packages=("torch", "numpy", "safetensors"),
)
