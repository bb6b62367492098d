"""The checkpoint as a Hugging Face folder that AutoModelForMaskedLM and AutoTokenizer load, 4.57 and later."""

from __future__ import annotations

from pathlib import Path

from pipeline.draft import Draft
from pipeline.needs import all_units, start_from
from pipeline.shared_settings import StartFrom
from pipeline.stage import Inputs, Stage
from pipeline.stages.train_vocabulary import MODEL, vocabulary_of


class ExportConfig(StartFrom):
    """The format has no choices."""


def export(config: ExportConfig, inputs: Inputs, draft: Draft) -> None:
    write_folder(inputs.folder(inputs.one("pretrain"), draft.scratch("checkpoint"), "final/") / "final", inputs, draft)


def write_folder(final: Path, inputs: Inputs, draft: Draft) -> None:
    """The artifacts of a checkpoint, from weights and sizes and the vocabulary among the inputs."""
    from training.export import export_hugging_face

    target = draft.path(MODEL).parent
    export_hugging_face(final, vocabulary_of(inputs), target)
    draft.add({"files": sum(path.is_file() for path in target.rglob("*"))})


STAGE = Stage(
    name="export",
    version=2,
    config=ExportConfig,
    body=export,
    needs={"pretrain": all_units, "train_vocabulary": all_units},
    optional=frozenset({"train_vocabulary"}),
    builds_on={"export": start_from},
    packages=("torch", "numpy", "safetensors", "sentencepiece"),
    current="checkpoint",
    shared=True,
)
