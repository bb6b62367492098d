"""The checkpoint as a Hugging Face folder that AutoModelForMaskedLM and AutoTokenizer load."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.train_vocabulary import MODEL


class ExportConfig(StageConfig):
    """The format has no choices."""


def export(config: ExportConfig, inputs: Inputs, draft: Draft) -> None:
    from training.export import export_hugging_face

    final = inputs.folder(inputs.one("pretrain"), draft.scratch("checkpoint"), "final/") / "final"
    target = draft.path(MODEL).parent
    export_hugging_face(final, inputs.path(inputs.one("train_vocabulary"), MODEL), target)
    draft.add({"files": sum(path.is_file() for path in target.rglob("*"))})


STAGE = Stage(
    name="export",
    version=1,
    config=ExportConfig,
    body=export,
    needs={"pretrain": Match.ALL, "train_vocabulary": Match.ALL},
    packages=("torch", "transformers", "safetensors", "sentencepiece"),
)
