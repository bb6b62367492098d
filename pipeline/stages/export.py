"""The checkpoint as a Hugging Face folder that AutoModelForMaskedLM and AutoTokenizer load, 4.57 and later."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import all_units
from pipeline.stage import Inputs, Stage, StageConfig
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
    version=2,
    config=ExportConfig,
    body=export,
    needs={"pretrain": all_units, "train_vocabulary": all_units},
    packages=("torch", "numpy", "safetensors", "sentencepiece"),
    current="checkpoint",
    shared=True,
)
