"""Fine-tune the exported model on one benchmark with one seed and score it with the official metric."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from pipeline.checkpoint_source import UNITS
from pipeline.draft import Draft
from pipeline.errors import BadConfig, BadInput
from pipeline.needs import all_units, benchmark_files, named, several
from pipeline.official_files import benchmark_manifest
from pipeline.result_store import record_results
from pipeline.stage import Inputs, Stage, StageConfig

if TYPE_CHECKING:
    from evaluation.settings import FinetuneConfig

log = logging.getLogger(__name__)

Benchmark = Literal[
    "xnli", "ner", "mlqa", "mnli", "qnli", "qqp", "sst2", "mrpc", "stsb", "rte", "americasnli", "pawsx", "panx",
    "masakhaner", "universal_ner", "xquad", "tydiqa", "sib200", "belebele", "tatoeba", "flores",
]  # fmt: skip
KNOWN_BENCHMARKS: tuple[str, ...] = get_args(Benchmark)
NOT_FINETUNED: tuple[Benchmark, ...] = ("tatoeba", "flores")  # retrieval
BENCHMARKS: tuple[Benchmark, ...] = ("xnli", "ner", "mlqa", "sst2")  # those of which `make run` writes data


class FinetuningChoices(StageConfig):
    finetuning: Literal["tiny", "small", "paper", "xtreme", "euroeval"] = Field(
        default="tiny",
        description="fine-tuning settings: the paper's, XTREME's, EuroEval's, or short ones for tiny and small models",
    )
    learning_rates: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(), max_length=10, description="learning rates to try; the best by the dev sets is taken; empty: the "
        "one of `finetuning`",
    )  # fmt: skip
    benchmark_setting: Literal[
        "default", "transfer", "translate-test", "translate-train", "translate-train-all", "each", "all", "frozen"
    ] = Field(default="default", description="what is trained on; default: each benchmark's first (docs/evaluation.md)")
    selection: Literal["default", "source", "joint", "per-language"] = Field(
        default="default", description="dev sets that choose the epoch; default: as the benchmark setting has it"
    )
    finetuning_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        exclude_if=lambda value: value == "auto",
        description="bfloat16: of products, not of weights; auto: bfloat16 on a GPU, float32 on a processor",
    )
    finetuning_compile: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="fine-tune with torch.compile: faster on a GPU after some minutes of compiling",
    )


class EvaluateConfig(FinetuningChoices):
    benchmark: Benchmark = Field(description="which benchmark")
    seed: int = Field(ge=0, description="seed of the head's weights, the order and dropout")
    code: str = Field(
        default="",
        exclude_if=lambda code: not code,  # whatever code is installed: no part of the fingerprint
        description="digest of the evaluation code that the scores must be of; empty: any",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_are_not_stated(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A setting or selection that is the default one is written as `default`: the same work has one key."""
        setting, selection = (_stated(given, name) for name in ("benchmark_setting", "selection"))
        if not setting and not selection:
            return given
        from evaluation.presets import preset

        finetuning, benchmark = given.get("finetuning", "tiny"), given.get("benchmark", "")
        try:
            usual, own = preset(finetuning, benchmark), preset(finetuning, benchmark, setting=setting)
        except ValueError:  # what is not there is refused elsewhere
            return given
        same = {"benchmark_setting": setting == usual.setting, "selection": selection == own.selection}
        return given | {name: "default" for name, is_same in same.items() if is_same}


def _stated(given: Mapping[str, Any], name: str) -> str:
    stated = given.get(name, "default")
    return "" if stated == "default" else str(stated)


def unit_of(benchmark: str, seed: int) -> str:
    return f"{benchmark}/seed-{seed}"


def seeds_of(choices: FinetuningChoices, benchmark: str, seeds: Sequence[int]) -> Sequence[int]:
    """The first alone where nothing is trained and nothing drawn: all others would have the same scores."""
    drawn = choices.finetuning == "euroeval"  # its test sets are drawn anew for each seed
    return seeds[:1] if benchmark in NOT_FINETUNED and not drawn else seeds


def evaluate(config: EvaluateConfig, inputs: Inputs, draft: Draft) -> None:
    """A seed whose loss or logits are no numbers ends as a finished unit too, with failed.json in place of results:
    trained again it would fail again, and what reads the unit must count it."""
    from evaluation.code_digest import code_digest
    from evaluation.finetune import run
    from evaluation.hardware import hardware
    from evaluation.records import DataError
    from evaluation.tuning import DivergedError

    code = code_digest(config.benchmark)
    if config.code not in ("", code):
        raise BadConfig(f"scores of the code {config.code} were asked for, {code} is installed: plan again")
    checkpoint = next((m for m in inputs.of("ingest") if m.unit.startswith(UNITS)), None) or inputs.one("export")
    model = inputs.folder(checkpoint, draft.scratch("model"))
    brought = benchmark_manifest(inputs, config.benchmark)
    data = inputs.folder(brought, draft.scratch("data"))
    output = draft.path("results.json").parent
    draft.hardware = hardware()
    state = draft.state()  # a killed task goes on after its last whole epoch
    try:
        results = run(config.benchmark, model, data, output, _numbers(config), state.folder, state.keep)
    except DataError as error:
        source = str(brought.config.get("source") or "benchmark data").rstrip("/")  # the scratch folder is gone then
        raise BadInput(str(error).replace(str(data), source)) from error
    except DivergedError as error:
        log.error("%s failed: %s", draft.what, error)
        draft.add({"failed_seeds": 1})
        return
    draft.add({"results": len(results), "examples": sum(result.examples for result in results)})


def check_choices(choices: FinetuningChoices, benchmarks: Iterable[str]) -> None:
    """Raise BadConfig for a setting or preset that one of the benchmarks does not have."""
    if choices.benchmark_setting == "default" and choices.finetuning != "xtreme":
        return  # every benchmark has these: nothing is imported for them
    given = {name: getattr(choices, name) for name in FinetuningChoices.model_fields}
    for benchmark in benchmarks:
        try:
            _numbers(EvaluateConfig(benchmark=benchmark, seed=1, **given))  # type: ignore[arg-type]
        except ValueError as error:
            raise BadConfig(str(error)) from error


def _numbers(config: EvaluateConfig) -> FinetuneConfig:
    from evaluation.hardware import precision_of
    from evaluation.presets import preset

    chosen = (config.benchmark_setting, config.selection)
    setting, selection = ("" if name == "default" else name for name in chosen)
    found = preset(config.finetuning, config.benchmark, config.seed, setting, selection, config.learning_rates)
    return replace(found, precision=precision_of(config.finetuning_precision), compile=config.finetuning_compile)


STAGE = Stage(
    name="evaluate",
    version=4,
    config=EvaluateConfig,
    body=evaluate,
    needs={"export": all_units, "ingest": several(benchmark_files, named(UNITS))},
    optional=frozenset({"export"}),  # a model from outside has none
    finished=record_results,
    packages=("torch", "sentencepiece", "numpy", "scipy"),
)
