"""Fine-tune the exported model on one benchmark with one seed and score it with the official metric."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from pipeline.checkpoint_source import UNITS
from pipeline.draft import Draft
from pipeline.errors import BadConfig
from pipeline.needs import all_units, named
from pipeline.result_store import record_results
from pipeline.stage import Inputs, Stage, StageConfig

Benchmark = Literal[
    "xnli", "ner", "mlqa", "mnli", "qnli", "qqp", "sst2", "mrpc", "stsb", "rte", "americasnli", "pawsx", "panx",
    "masakhaner", "universal_ner", "xquad", "tydiqa", "sib200", "belebele", "tatoeba", "flores",
]  # fmt: skip
KNOWN_BENCHMARKS: tuple[str, ...] = get_args(Benchmark)
BENCHMARKS: tuple[Benchmark, ...] = ("xnli", "ner", "mlqa", "sst2")  # those of which `make run` writes data


class FinetuningChoices(StageConfig):
    finetuning: Literal["tiny", "small", "paper", "xtreme"] = Field(
        default="tiny",
        description="fine-tuning settings: the paper's, XTREME's, or short ones for tiny and small models",
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


class EvaluateConfig(FinetuningChoices):
    benchmark: Benchmark = Field(description="which benchmark")
    seed: int = Field(ge=0, description="seed of the head's weights, the order and dropout")
    code: str = Field(
        default="",
        exclude_if=lambda code: not code,  # whatever code is installed: no part of the fingerprint
        description="digest of the evaluation code that the scores must be of; empty: any",
    )


def unit_of(benchmark: str, seed: int) -> str:
    return f"{benchmark}/seed-{seed}"


def evaluate(config: EvaluateConfig, inputs: Inputs, draft: Draft) -> None:
    from evaluation.finetune import run
    from evaluation.hardware import hardware
    from evaluation.presets import preset
    from evaluation.results import code_digest

    if config.code not in ("", code_digest()):
        raise BadConfig(f"scores of the code {config.code} were asked for, {code_digest()} is installed: plan again")
    checkpoint = next((m for m in inputs.of("ingest") if m.unit.startswith(UNITS)), None) or inputs.one("export")
    model = inputs.folder(checkpoint, draft.scratch("model"))
    data = inputs.folder(inputs.named("ingest", "benchmarks"), draft.scratch("data"))
    output = draft.path("results.json").parent
    chosen = (config.benchmark_setting, config.selection)
    setting, selection = ("" if name == "default" else name for name in chosen)
    settings = preset(config.finetuning, config.benchmark, config.seed, setting, selection, config.learning_rates)
    draft.hardware = hardware()
    state = draft.state()  # a killed task goes on after its last whole epoch
    results = run(config.benchmark, model, data, output, settings, state.folder, state.keep)
    draft.add({"results": len(results), "examples": sum(result.examples for result in results)})


STAGE = Stage(
    name="evaluate",
    version=4,
    config=EvaluateConfig,
    body=evaluate,
    needs={"export": all_units, "ingest": named("benchmarks", UNITS)},
    optional=frozenset({"export"}),  # a model from outside has none
    finished=record_results,
    packages=("torch", "sentencepiece", "numpy", "scipy"),
)
