"""The settings of a pretraining run, as its JSON file holds them: the one list of names, bounds and descriptions."""

# ruff: noqa: RUF009 - `setting` gives a dataclass field, new for each call

from __future__ import annotations

import json
import math
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from training.sizes import PRESETS

CHOICE = ("auto", "on", "off")
MAX_NUMBER = 2**53  # whole numbers up to it are floats too, without a loss


def setting(default: Any, description: str, **bounds: Any) -> Any:
    """A field with its description; bounds: minimum, above (exclusive), maximum, choices; `free` may change on
    resuming, since the run's bytes do not depend on it or only as they do on the number of processes."""
    metadata = {"description": description, **bounds}
    if default is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as forms and help texts show it."""

    name: str
    default: Any
    description: str
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    free: bool = False

    def check(self, value: Any) -> None:
        """Raises ValueError with what was wanted."""
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} {value!r}: wanted one of {', '.join(self.choices)}")
        if self.default is not MISSING and not _is_like(value, self.default):
            raise ValueError(f"{self.name} is {value!r}: wanted {_kind(self.default)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name} is {value}: wanted a finite number")
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise ValueError(f"{self.name} is {str(value)[:20]}…: wanted a number up to {MAX_NUMBER}")
        wanted = []
        if self.minimum is not None and value < self.minimum:
            wanted.append(f"{self.minimum} or more")
        if self.above is not None and value <= self.above:
            wanted.append(f"more than {self.above}")
        if self.maximum is not None and value > self.maximum:
            wanted.append(f"at most {self.maximum}")
        if wanted:
            raise ValueError(f"{self.name} is {value}: wanted {' and '.join(wanted)}")


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """One run.  Defaults are the paper's where it says them, else RoBERTa's recipe for a batch of 8192."""

    vocabulary: Path = setting(MISSING, "SentencePiece model file", free=True)
    blocks: dict[str, tuple[Path, ...]] = setting(
        MISSING, "language -> .npy files of blocks, read one after another as one array", free=True
    )
    output: Path = setting(
        MISSING,
        "folder for metrics.jsonl, validation.jsonl, checkpoints/, milestones/, final/, summary.json",
        free=True,
    )
    state: str = setting(
        "",
        "s3://bucket/prefix that checkpoints, metrics and the result are sent to and a run goes on from, where no disk "
        "outlives the machine; empty: none",
        free=True,
    )
    input_digests: dict[str, str] = setting(
        dict,
        "vocabulary, blocks or start_from -> digest of its bytes as a manifest gives it; else its files are read and "
        "hashed",
        free=True,
    )
    start_from: str = setting(
        "", "folder of a checkpoint in XLM-R's format to go on from; its sizes replace `model`", free=True
    )
    model: str = setting("base", "preset of the encoder's sizes", choices=tuple(PRESETS))
    hidden: int = setting(
        0, "width of the encoder instead of the preset's, a multiple of its heads; 0: the preset's", minimum=0
    )
    block_tokens: int = setting(512, "tokens of a block, <s> and </s> included", minimum=8, maximum=8192)
    batch_blocks: int = setting(8192, "blocks of one update over all processes", minimum=1)
    micro_batch_blocks: int = setting(
        0, "blocks of one forward pass of one process; 0: its whole share", minimum=0, free=True
    )
    steps: int = setting(1_500_000, "updates", minimum=1)
    peak_learning_rate: float = setting(6e-4, "highest learning rate (RoBERTa Base)", above=0)
    warmup_steps: int = setting(24_000, "updates over which the rate rises", minimum=0)
    betas: tuple[float, float] = setting((0.9, 0.98), "Adam's decay rates (RoBERTa)")
    epsilon: float = setting(1e-6, "Adam's epsilon (RoBERTa)", above=0)
    weight_decay: float = setting(0.01, "decoupled decay of all parameters (fairseq)", minimum=0)
    clip_norm: float = setting(0.0, "largest gradient norm; 0: not clipped (fairseq's RoBERTa)", minimum=0)
    alpha: float = setting(0.3, "exponent of language sampling", above=0, maximum=1)
    cycle_samples: int = setting(
        1 << 16,
        "samples in which each language's share is met; doubled until whole numbers change no share by over 5 %",
        minimum=1,
        maximum=1 << 24,
    )
    dropout: float = setting(0.1, "dropout everywhere", minimum=0, maximum=0.9)
    seed: int = setting(1, "seed of weights, order, masks and dropout", minimum=0, maximum=2**31 - 1)
    max_skipped_updates: int = setting(
        0,
        "updates in a row that may be left out because their loss or gradient is not finite or is a spike; one more "
        "ends the run",
        minimum=0,
    )
    spike_factor: float = setting(
        0.0, "an update whose gradient norm is above this many times the running mean is left out; 0: none", minimum=0
    )
    validation_blocks: int = setting(
        0, "blocks of each language held out for validation, at most a tenth of its blocks", minimum=0
    )
    validation_steps: int = setting(1000, "updates between two validations", minimum=1, free=True)
    validate_first: bool = setting(
        False, "validate before the first update too: what the model knows that it starts from", free=True
    )
    checkpoint_steps: int = setting(1000, "updates between two checkpoints", minimum=1, free=True)
    keep_checkpoints: int = setting(2, "checkpoints kept", minimum=1, free=True)
    checkpoints_on_every_host: bool = setting(
        False, "each host writes checkpoints, for hosts without a shared disk", free=True
    )
    milestone_steps: int = setting(
        0, "updates between two milestones, which are kept for good; 0: none", minimum=0, free=True
    )
    log_steps: int = setting(10, "updates of one line of metrics", minimum=1, free=True)
    events: str = setting(
        "",
        "folder for TensorBoard's event files; empty: none. Without the package tensorboard none are written",
        free=True,
    )
    precision: str = setting(
        "auto",
        "what matrices are multiplied in, weights staying float32; auto: bfloat16 on a GPU, float32 on a CPU",
        choices=("auto", "float32", "bfloat16"),
    )
    compile: str = setting("auto", "torch.compile; auto: on a GPU", choices=CHOICE, free=True)
    activation_checkpointing: bool = setting(
        False, "compute each layer's activations again in the backward pass: less memory, a third more work", free=True
    )
    sharding: str = setting(
        "none",
        "what processes split among them; none: nothing (DDP); full: weights, gradients and optimizer states (FSDP2), "
        "which takes less memory and more communication",
        choices=("none", "full"),
        free=True,
    )
    prefetch_updates: int = setting(
        2, "updates whose batches are made ahead in a thread; 0: none", minimum=0, maximum=64, free=True
    )
    threads: int = setting(1, "CPU threads of one process; sums of floats depend on it", minimum=1, free=True)
    timeout_s: float = setting(
        600.0, "seconds that a process waits for the others before it ends", above=0, maximum=86_400, free=True
    )
    extra: dict[str, Any] = setting(dict, "notes that are kept with the run and change nothing", free=True)

    def __post_init__(self) -> None:
        for one in describe_settings():
            one.check(getattr(self, one.name))
        if not self.blocks:
            raise ValueError("no blocks: wanted at least one language")
        if len(self.betas) != 2 or not all(_is_like(beta, 0.0) and 0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}: wanted two numbers from 0 to below 1")

    def bound(self) -> dict[str, Any]:
        """The settings that must be the same where a run goes on."""
        return {one.name: getattr(self, one.name) for one in describe_settings() if not one.free}


def describe_settings() -> list[Setting]:
    """All settings in order, with bounds and descriptions."""
    found = []
    for one in fields(PretrainSettings):
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        found.append(Setting(one.name, default, **one.metadata))
    return found


def read_settings(path: Path, output: Path | None = None) -> PretrainSettings:
    """Settings of a JSON file.  Raises ValueError with one line."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}: wanted a JSON file of settings") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: {type(values).__name__}: wanted an object of settings")
    known = {one.name for one in fields(PretrainSettings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if output is not None:
        values["output"] = output
    missing = [name for name in ("vocabulary", "blocks", "output") if name not in values]
    if missing:
        raise ValueError(f"{path}: {', '.join(missing)} missing")
    values |= {name: _path(values[name], name) for name in ("vocabulary", "output")}
    if not isinstance(values["blocks"], dict):
        raise ValueError(f"{path}: blocks are {values['blocks']!r}: wanted an object, language -> file or files")
    values["blocks"] = {language: _paths(places, language) for language, places in values["blocks"].items()}
    if isinstance(values.get("betas"), list):
        values["betas"] = tuple(values["betas"])
    return PretrainSettings(**values)


def _paths(places: Any, language: str) -> tuple[Path, ...]:
    return tuple(_path(place, f"blocks of {language}") for place in (places if isinstance(places, list) else [places]))


def _path(place: Any, name: str) -> Path:
    if not isinstance(place, str | Path) or not str(place):
        raise ValueError(f"{name}: {place!r}: wanted the path of a file or folder")
    return Path(place)


def _is_like(value: Any, default: Any) -> bool:
    """A whole number will do where a fraction is wanted; True is no number."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, int | float) if isinstance(default, float) else isinstance(value, type(default))


def _kind(default: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "a list"}
    return kinds.get(type(default), "an object")
