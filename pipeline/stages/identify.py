"""Name each document's language with fastText, and with our classifier where there is one (CCNet section 3.3)."""

from __future__ import annotations

import json

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import all_units, named, same_unit
from pipeline.shared_settings import CutOffSample, Languages, TextUnit
from pipeline.stage import Inputs, Stage
from pipeline.stages.train_lid import CLASSIFIER, CODES, given_identifier

SAMPLE = "sample.parquet"
DOCUMENTS = "documents"  # the folder of LANG.parquet: what follows reads a language at a time


def language_of(name: str) -> str:
    """The language of an artifact documents/LANG.parquet; "" of any other."""
    folder, _, file = name.partition("/")
    return file.removesuffix(".parquet") if folder == DOCUMENTS else ""


class IdentifyConfig(Languages, TextUnit, CutOffSample):
    language_threshold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="lowest score of the language identifier to keep, after rounding to 2 decimals (CCNet: 0.5)",
    )
    classifier_threshold: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="lowest score of our classifier to keep, for codes that the identifier lacks",
    )


def identify(config: IdentifyConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.identify import LanguageIdentifier, identify_shard
    from ccnet.language_classifier import CombinedIdentifier
    from ccnet.sample import LanguageSample

    model, label_map = given_identifier(inputs)
    identifier = LanguageIdentifier(model, label_map)
    for manifest in inputs.of("train_lid"):
        if any(artifact.name == CLASSIFIER for artifact in manifest.artifacts):
            codes = json.loads(inputs.path(manifest, CODES).read_text(encoding="utf-8"))["recall_of_identifier"]
            identifier = CombinedIdentifier(
                model, inputs.path(manifest, CLASSIFIER), codes, config.classifier_threshold, label_map
            )
    documents = inputs.path(inputs.one("deduplicate"), "documents.parquet")
    sample = LanguageSample(config.cut_off_sample)
    counts = identify_shard(
        documents,
        identifier,
        draft.path(DOCUMENTS),
        threshold=config.language_threshold,
        languages=config.languages,
        paragraphs=config.unit == "paragraph",
        sample=sample,
    )
    sample.write(draft.path(SAMPLE))
    draft.add(counts)


STAGE = Stage(
    name="identify",
    version=5,
    config=IdentifyConfig,
    body=identify,
    needs={"deduplicate": same_unit, "ingest": named("language-identifier", "label-map"), "train_lid": all_units},
    optional=frozenset({"train_lid"}),
    packages=("fasttext", "pyarrow"),
)
