"""Fine-tune the exported model on one benchmark with one seed and score it with the official metric."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import all_units, named
from pipeline.stage import Inputs, Stage, StageConfig

Benchmark = Literal[
    "xnli", "ner", "mlqa", "mnli", "qnli", "qqp", "sst2", "mrpc", "stsb", "rte", "americasnli", "pawsx", "panx",
    "masakhaner", "universal_ner", "xquad", "tydiqa", "sib200", "belebele", "tatoeba", "flores",
]  # fmt: skip
KNOWN_BENCHMARKS: tuple[str, ...] = get_args(Benchmark)
BENCHMARKS: tuple[Benchmark, ...] = ("xnli", "ner", "mlqa", "sst2")  # those of which `make run` writes data


class FinetuningChoices(StageConfig):
    finetuning: Literal["tiny", "small", "paper"] = Field(
        default="tiny", description="fine-tuning settings: the paper's, or short ones for tiny and small models"
    )
    benchmark_setting: Literal[
        "default", "transfer", "translate-test", "translate-train", "translate-train-all", "each", "all", "frozen"
    ] = Field(default="default", description="what is trained on; default: each benchmark's first (docs/evaluation.md)")
    selection: Literal["default", "source", "joint", "per-language"] = Field(
        default="default", description="dev sets that choose the epoch; default: as the benchmark setting has it"
    )


class EvaluateConfig(FinetuningChoices):
    benchmark: Benchmark = Field(description="which benchmark")
    seed: int = Field(ge=0, description="seed of the head's weights, the order and dropout")


def unit_of(benchmark: str, seed: int) -> str:
    return f"{benchmark}/seed-{seed}"


def evaluate(config: EvaluateConfig, inputs: Inputs, draft: Draft) -> None:
    from evaluation.finetune import run
    from evaluation.presets import preset

    model = inputs.folder(inputs.one("export"), draft.scratch("model"))
    data = inputs.folder(inputs.one("ingest"), draft.scratch("data"))
    output = draft.path("results.json").parent
    chosen = (config.benchmark_setting, config.selection)
    setting, selection = ("" if name == "default" else name for name in chosen)
    settings = preset(config.finetuning, config.benchmark, config.seed, setting, selection)
    state = draft.state()  # a killed task goes on after its last whole epoch
    results = run(config.benchmark, model, data, output, settings, state.folder, state.keep)
    draft.add({"results": len(results), "examples": sum(result.examples for result in results)})


STAGE = Stage(
    name="evaluate",
    version=3,
    config=EvaluateConfig,
    body=evaluate,
    needs={"export": all_units, "ingest": named("benchmarks")},
    packages=("torch", "sentencepiece", "numpy", "scipy"),
)
