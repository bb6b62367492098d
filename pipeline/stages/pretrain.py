"""Masked-LM pretraining under torchrun, with checkpoints that another attempt goes on from (paper section 3)."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.draft import Draft
from pipeline.errors import BadConfig, EmptyOutput, FactoryError
from pipeline.launchers import open_scheduler
from pipeline.launchers.processes import run_processes
from pipeline.launchers.settings import Kubernetes, Processes, Slurm
from pipeline.launchers.submitted_job import SubmittedJob
from pipeline.live_metrics import LiveMetrics
from pipeline.manifest import Manifest
from pipeline.milestones import Milestones
from pipeline.needs import all_units, first_part, start_from, training_release
from pipeline.run_folder import METRICS, SUMMARY, VALIDATION, DiskRunFolder, RunFolder
from pipeline.shared_settings import Alpha, BlockTokens, Seed, StartFrom, TrainingRelease
from pipeline.stage import Inputs, Stage
from pipeline.stages.encode import BLOCKS
from pipeline.stages.train_vocabulary import MODEL
from training.job import Source, TrainingJob
from training.recipes import RECIPES, Recipe

log = logging.getLogger(__name__)

TINY_CYCLE = 4096  # a short run should meet every language's share too


def is_zero(value: float) -> bool:
    """Whether an option is off: it is no part of the fingerprint then."""
    return not value


def is_auto(value: str) -> bool:
    return value == "auto"


def is_none(value: str) -> bool:
    return value == "none"


class PretrainConfig(BlockTokens, Alpha, Seed, StartFrom, TrainingRelease):
    model: str = Field(
        default="tiny",
        json_schema_extra={"enum": list(RECIPES)},
        description="model of the paper whose encoder's sizes are taken (training/recipes.py): base, large, the "
        "ablations' by name",
    )
    recipe_settings: bool = Field(
        default=False,
        exclude=True,  # what it sets is part of the config
        description="take alpha, block_tokens, batch_blocks, steps, peak_learning_rate and warmup_steps from the "
        "model's recipe, whatever stands in these fields",
    )
    batch_blocks: int = Field(default=32, ge=1, description="blocks of one update over all processes (paper: 8,192)")
    micro_batch_blocks: int = Field(
        default=0,
        ge=0,
        exclude_if=is_zero,
        description="blocks of one forward pass of a process; gradients are summed up to batch_blocks; 0: all at once",
    )
    steps: int = Field(default=400, ge=1, description="updates (paper: 1,500,000)")
    peak_learning_rate: float = Field(default=1e-3, gt=0, description="highest learning rate (RoBERTa Base: 6e-4)")
    warmup_steps: int = Field(default=40, ge=0, description="updates over which the learning rate rises to its peak")
    max_skipped_updates: int = Field(
        default=0,
        ge=0,
        exclude_if=is_zero,
        description="updates in a row that may be left out because their loss or gradient is not finite or is a spike; "
        "one more ends the run",
    )
    spike_factor: float = Field(
        default=0.0,
        ge=0,
        exclude_if=is_zero,
        description="an update whose gradient norm is above this many times the running mean is left out; 0: none is",
    )
    clip_norm: float = Field(
        default=0.0, ge=0, exclude_if=is_zero, description="largest gradient norm; 0: not clipped (fairseq's RoBERTa)"
    )
    checkpoint_steps: int = Field(default=50, ge=1, description="updates between two checkpoints")
    keep_checkpoints: int = Field(default=2, ge=1, le=1000, exclude=True, description="newest checkpoints kept")
    milestone_steps: int = Field(
        default=0,
        ge=0,
        exclude=True,
        description="updates between two milestones: checkpoints NAME@UPDATE that can be evaluated while training goes "
        "on, and are kept for good; 0: none",
    )
    validation_blocks: int = Field(
        default=0, ge=0, description="blocks of each language held out for validation, at most a tenth; 0: none"
    )
    validation_steps: int = Field(default=1000, ge=1, description="updates between two validations")
    validate_first: bool = Field(
        default=False, exclude_if=is_zero, description="validate before the first update too, with validation_blocks"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        exclude_if=is_auto,
        description="what matrices are multiplied in; weights stay float32; auto: bfloat16 on a GPU",
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto", exclude_if=is_auto, description="torch.compile; auto: on a GPU"
    )
    activation_checkpointing: bool = Field(
        default=False,
        exclude=True,  # not one bit changes
        description="compute each layer's activations again in the backward pass: less memory, a third more work",
    )
    sharding: Literal["none", "full"] = Field(
        default="none",
        exclude_if=is_none,  # losses depend on it as on the order of sums
        description="what processes split among them; none: nothing (DDP); full: weights, gradients and optimizer "
        "states (FSDP2): less memory, more communication",
    )
    processes: int = Field(
        default=2, ge=1, description="torchrun processes on one machine; they must share batch_blocks equally"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_recipe(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.get("recipe_settings"):
            return values
        recipe = RECIPES.get(values.get("model", "tiny"))
        return {**values, **recipe_settings(recipe())} if recipe else values

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, model: str) -> str:
        if model not in RECIPES:
            raise ValueError(f"{model!r} is no model of the paper: wanted one of {', '.join(RECIPES)}")
        return model

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        over = self.batch_blocks % self.processes
        if over:
            near = [n for n in (self.batch_blocks - over, self.batch_blocks - over + self.processes) if n]
            raise ValueError(
                f"batch_blocks {self.batch_blocks} cannot be shared equally by {self.processes} processes: "
                f"choose {' or '.join(map(str, near))}, or another number of processes"
            )
        if self.start_from and not self.training_release:
            raise ValueError(f"start_from {self.start_from}: say which release to train on with training_release")
        if self.validate_first and not self.validation_blocks:
            raise ValueError("validate_first: there is nothing to validate on: set validation_blocks, e.g. to 64")
        return self


def recipe_settings(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says of a run's settings, beside the model's sizes."""
    sizes = ("model", "hidden")
    return {name: value for name, value in recipe.settings().items() if name not in sizes}


def pretrain(config: PretrainConfig, inputs: Inputs, draft: Draft) -> None:
    output = _run_here(config, inputs, draft) if isinstance(draft.launcher, Processes) else _run_as_job(
        config, inputs, draft, draft.launcher)  # fmt: skip
    metrics = output / METRICS
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


def _run_here(config: PretrainConfig, inputs: Inputs, draft: Draft) -> Path:
    """As children of this process; the folder that they leave."""
    state = draft.state(appended=(METRICS, VALIDATION, SUMMARY))
    output, events = state.folder, draft.scratch("events")

    def path_of(manifest: Manifest, name: str) -> Source:
        return Source(inputs.path(manifest, name).absolute().as_uri())  # its digest is checked

    job = _job(config, inputs, draft, output.absolute().as_uri(), path_of)
    job_file = draft.scratch("job") / "job.json"
    job_file.write_text(replace(job, settings=job.settings | {"events": str(events)}).to_json())
    _tell_start(config, draft.what, output / "checkpoints")
    with Follower(config, inputs, draft, DiskRunFolder(output, events)) as follower:

        def on_tick() -> None:
            follower.look()
            state.keep()

        run_processes(job_file, on_tick=on_tick)
    return output


def _run_as_job(config: PretrainConfig, inputs: Inputs, draft: Draft, launcher: Slurm | Kubernetes) -> Path:
    """On a cluster, where the job outlives this process; the folder with its result."""
    if config.processes % launcher.nodes:
        raise BadConfig(f"processes {config.processes} cannot be shared equally by the launcher's {launcher.nodes} "
                        "nodes: choose a multiple of them")  # fmt: skip

    def uri_of(manifest: Manifest, name: str) -> Source:
        artifact = manifest.artifact(name)
        return Source(draft.store.uri(artifact.key), artifact.sha256)

    job = SubmittedJob(
        draft,
        open_scheduler(launcher),
        lambda state: replace(
            _job(config, inputs, draft, state, uri_of),
            nodes=launcher.nodes,
            processes=config.processes // launcher.nodes,
            restarts=launcher.restarts,
            join_timeout_s=launcher.join_timeout_s,
        ),
    )
    with Follower(config, inputs, draft, job.folder) as follower:
        return job.run(follower.look, draft.scratch("results"))


class Follower:
    """Brings what a training leaves in its folder to the store's readers, while it goes on."""

    def __init__(self, config: PretrainConfig, inputs: Inputs, draft: Draft, folder: RunFolder) -> None:
        self.config, self.draft, self.folder = config, draft, folder
        self.milestones = Milestones(inputs, draft, folder)
        self.live = LiveMetrics(draft.store, draft.prefix, folder)

    def look(self) -> None:
        self.milestones.publish()
        self.live.publish()
        row = self.folder.last_row()
        self.draft.progress(row.get("step", 0), self.config.steps, "updates", _note(self.config, row))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """What came after the last look.  Of a run that failed the metrics tell why."""
        if error is None:
            self.milestones.publish()
            self.live.publish(at_once=True)
        elif isinstance(error, FactoryError):
            with suppress(FactoryError, OSError):
                self.live.publish(at_once=True)


def _job(config: PretrainConfig, inputs: Inputs, draft: Draft, state: str,
         source: Callable[[Manifest, str], Source]) -> TrainingJob:  # fmt: skip
    """The job file, for one node."""
    from training.settings import describe_settings

    encoded = [manifest for manifest in inputs.of("encode") if manifest.counts["blocks"]]
    if not encoded:
        raise EmptyOutput("no language has a whole block of tokens: take more text or smaller blocks")
    blocks: dict[str, tuple[Source, ...]] = {}
    for manifest in encoded:
        language = first_part(manifest.unit)
        blocks[language] = (*blocks.get(language, ()), source(manifest, BLOCKS))
    recipe = RECIPES[config.model]()
    checkpoint = inputs.one("export") if config.start_from else None
    vocabulary = checkpoint or inputs.one("train_vocabulary")
    # The keys of manifests are digests of all that their bytes were made from.
    digests = {"vocabulary": vocabulary.key, "blocks": " ".join(manifest.key for manifest in encoded)}
    shared = ({one.name for one in describe_settings()} & set(type(config).model_fields)) - {"start_from"}
    settings = {name: getattr(config, name) for name in shared} | {
        "model": recipe.preset,
        "hidden": recipe.encoder.hidden,
        "cycle_samples": TINY_CYCLE if config.model == "tiny" else 1 << 16,
        "input_digests": digests | ({"start_from": checkpoint.key} if checkpoint else {}),
    }
    names = [artifact.name for artifact in checkpoint.artifacts] if checkpoint else []
    start = {name: source(checkpoint, name) for name in names} if checkpoint else {}
    name = f"xlmr-{draft.prefix.rsplit('/', 1)[1]}"  # of the unit's fingerprint: an orphan is found by it
    return TrainingJob(
        name, settings, source(vocabulary, MODEL), blocks, state, start_from=start, processes=config.processes
    )


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
    optional=frozenset({"train_vocabulary"}),
    builds_on={"export": start_from, "publish": training_release},
    packages=("torch", "numpy", "safetensors"),
)
