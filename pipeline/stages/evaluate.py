"""Fine-tune the exported model on one benchmark with one seed and score it with the official metric."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class EvaluateConfig(StageConfig):
    benchmark: Literal["xnli", "ner", "mlqa", "sst2"] = Field(description="which benchmark")
    seed: int = Field(default=1, ge=0, description="seed of the head's weights, the order and dropout")
    preset: Literal["tiny", "paper"] = Field(default="tiny", description="fine-tuning settings")


def evaluate(config: EvaluateConfig, inputs: Inputs, draft: Draft) -> None:
    from evaluation.finetune import FinetuneConfig, run

    model = inputs.folder(inputs.one("export"), draft.scratch("model"))
    data = inputs.folder(inputs.one("ingest"), draft.scratch("data"))
    output = draft.path("results.json").parent
    settings = FinetuneConfig.preset(config.preset, config.benchmark, seed=config.seed)
    results = run(config.benchmark, model, data, output, settings)
    draft.add({"results": len(results), "examples": sum(result.examples for result in results)})


STAGE = Stage(
    name="evaluate",
    version=1,
    config=EvaluateConfig,
    body=evaluate,
    needs={"export": Match.ALL, "ingest": "benchmarks"},
    packages=("torch", "sentencepiece", "numpy"),
)
