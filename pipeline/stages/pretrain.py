"""Masked-LM pretraining under torchrun, with checkpoints that another attempt goes on from (paper section 3)."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.draft import Draft
from pipeline.errors import BadConfig, EmptyOutput
from pipeline.needs import all_units, first_part
from pipeline.shared_settings import Alpha, BlockTokens, Seed
from pipeline.stage import Inputs, Stage
from pipeline.stages.encode import BLOCKS
from pipeline.stages.train_vocabulary import MODEL
from pipeline.torchrun import torchrun

log = logging.getLogger(__name__)

METRICS, VALIDATION = "metrics.jsonl", "validation.jsonl"
SUMMARY = "summary.json"
ROW_BYTES = 4096  # a row of metrics is shorter
TINY_CYCLE = 4096  # a short run should meet every language's share too


class PretrainConfig(BlockTokens, Alpha, Seed):
    model: Literal["tiny", "base", "large"] = Field(default="tiny", description="size of the encoder")
    batch_blocks: int = Field(default=32, ge=1, description="blocks of one update over all processes (paper: 8,192)")
    steps: int = Field(default=400, ge=1, description="updates (paper: 1,500,000)")
    peak_learning_rate: float = Field(default=1e-3, gt=0, description="highest learning rate (RoBERTa Base: 6e-4)")
    warmup_steps: int = Field(default=40, ge=0, description="updates over which the learning rate rises to its peak")
    checkpoint_steps: int = Field(default=50, ge=1, description="updates between two checkpoints")
    validation_blocks: int = Field(
        default=0, ge=0, description="blocks of each language held out for validation, at most a tenth; 0: none"
    )
    validation_steps: int = Field(default=1000, ge=1, description="updates between two validations")
    processes: int = Field(
        default=2, ge=1, description="torchrun processes on one machine; they must share batch_blocks equally"
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        over = self.batch_blocks % self.processes
        if over:
            near = [n for n in (self.batch_blocks - over, self.batch_blocks - over + self.processes) if n]
            raise ValueError(
                f"batch_blocks {self.batch_blocks} cannot be shared equally by {self.processes} processes: "
                f"choose {' or '.join(map(str, near))}, or another number of processes"
            )
        return self


def pretrain(config: PretrainConfig, inputs: Inputs, draft: Draft) -> None:
    state = draft.state(appended=(METRICS, VALIDATION, SUMMARY))
    output = state.folder
    request = draft.scratch("request") / "config.json"
    request.write_text(json.dumps(_request(config, inputs, output), indent=1, sort_keys=True))
    metrics = output / METRICS
    _tell_start(config, draft.what, output / "checkpoints")

    def on_tick() -> None:
        state.keep()
        row = _last_row(metrics)
        draft.progress(row.get("step", 0), config.steps, "updates", _note(config, row))

    torchrun(["-m", "training", "pretrain", "--config", str(request)], processes=config.processes, on_tick=on_tick)
    summary = json.loads((output / SUMMARY).read_text())
    for path in sorted((output / "final").iterdir()):
        shutil.copyfile(path, draft.path(f"final/{path.name}"))
    rows = [_without_speeds(json.loads(line)) for line in metrics.read_text().splitlines()]
    draft.path(METRICS).write_text("".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows))
    if (output / VALIDATION).exists():
        shutil.copyfile(output / VALIDATION, draft.path(VALIDATION))
    draft.write_json(SUMMARY, _without_speeds(summary))
    draft.add({"updates": config.steps, "tokens": config.steps * config.batch_blocks * config.block_tokens})
    draft.add({"parameters": int(summary["parameters"]), "tokens_per_s": round(summary["tokens_per_s"])})


def _request(config: PretrainConfig, inputs: Inputs, output: Path) -> dict[str, Any]:
    """The config file of `python -m training pretrain`."""
    if inputs.one("train_vocabulary").config.get("vocabulary_kind", "unigram") != "unigram":
        raise BadConfig("a checkpoint of a BPE vocabulary cannot be exported: train on a unigram one")
    encoded = [manifest for manifest in inputs.of("encode") if manifest.counts["blocks"]]
    if not encoded:
        raise EmptyOutput("no language has a whole block of tokens: take more text or smaller blocks")
    vocabulary = inputs.one("train_vocabulary")
    blocks: dict[str, list[str]] = {}
    for manifest in encoded:
        blocks.setdefault(first_part(manifest.unit), []).append(str(inputs.path(manifest, BLOCKS)))
    chosen = config.model_dump(exclude={"processes"})
    return chosen | {
        "cycle_samples": TINY_CYCLE if config.model == "tiny" else 1 << 16,
        "vocabulary": str(inputs.path(vocabulary, MODEL)),
        "blocks": blocks,
        # The keys of manifests are digests of all that their bytes were made from.
        "input_digests": {"vocabulary": vocabulary.key, "blocks": " ".join(manifest.key for manifest in encoded)},
        "output": str(output),
    }


def _tell_start(config: PretrainConfig, what: str, checkpoints: Path) -> None:
    if config.warmup_steps > config.steps:
        share = config.steps / config.warmup_steps
        log.warning("%s: warmup_steps %d of %d updates: the learning rate ends at %.0f %% of its peak",
                    what, config.warmup_steps, config.steps, 100 * share)  # fmt: skip
    whole = sorted(path.parent.name for path in checkpoints.glob("step-*/complete.json"))
    if whole:
        log.info("%s: resuming at update %d of %d", what, int(whole[-1].removeprefix("step-")), config.steps)
    else:
        log.info("%s: starting at update 0 of %d", what, config.steps)


def _last_row(metrics: Path) -> dict[str, float]:
    """The newest whole row of metrics; {} before the first."""
    if not metrics.exists():
        return {}
    with metrics.open("rb") as file:
        file.seek(max(0, metrics.stat().st_size - ROW_BYTES))
        lines = file.read().decode().splitlines()
    for line in reversed(lines):
        try:
            row: dict[str, float] = json.loads(line)
            return row
        except ValueError:  # the line is being written
            continue
    return {}


def _note(config: PretrainConfig, row: dict[str, Any]) -> str:
    if not row:
        return ""
    left = (config.steps - row["step"]) * config.batch_blocks * config.block_tokens / max(row["tokens_per_s"], 1e-9)
    loss = "no loss (updates skipped)" if row["loss_nats"] is None else f"loss {row['loss_nats']:.3f} nats"
    return f"{loss}, {row['tokens_per_s']:,.0f} tokens/s, {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _without_speeds(row: dict[str, Any]) -> dict[str, Any]:
    """What depends on the machine is no part of the artifacts, which are the same on every run."""
    from training.metrics import MACHINE_KEYS

    return {name: value for name, value in row.items() if name not in (*MACHINE_KEYS, "seconds")}


STAGE = Stage(
    name="pretrain",
    version=3,
    config=PretrainConfig,
    body=pretrain,
    needs={"encode": all_units, "train_vocabulary": all_units},
    packages=("torch", "numpy", "safetensors"),
)
