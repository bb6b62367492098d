"""Name each document's language with fastText, and with our classifier where there is one (CCNet section 3.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import BadInput
from pipeline.needs import all_units, named, same_unit
from pipeline.shared_settings import CutOffSample, Languages, TextUnit
from pipeline.stage import Inputs, Stage
from pipeline.stages.train_lid import CLASSIFIER, CODES, OPEN, given_identifier

if TYPE_CHECKING:
    from ccnet.identify import LanguageIdentifier

SAMPLE = "sample.parquet"
MEASURED = "measured.json"  # language -> precision of its identification on held-out text, where it was measured
SECOND = "second-identifier"
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
    from ccnet.identify import identify_shard
    from ccnet.open_identifier import OpenIdentifier
    from ccnet.sample import LanguageSample

    identifier = _identifier(config, inputs, draft)
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
    if isinstance(identifier, OpenIdentifier):
        draft.write_json(MEASURED, {code: rule.precision for code, rule in identifier.rules.items()})
    draft.add(counts)


def _identifier(config: IdentifyConfig, inputs: Inputs, draft: Draft) -> LanguageIdentifier:
    """The given one; with ours beside it where there is one; with a second where one is given."""
    from ccnet.identify import LanguageIdentifier
    from ccnet.language_classifier import CombinedIdentifier
    from ccnet.open_identifier import OpenIdentifier

    model, label_map = given_identifier(inputs)
    seconds = [manifest for manifest in inputs.of("ingest") if manifest.unit == SECOND]
    for manifest in inputs.of("train_lid"):
        names = {artifact.name for artifact in manifest.artifacts}
        if OPEN + CLASSIFIER in names:
            folder = inputs.folder(manifest, draft.scratch("classifier")) / OPEN
            second = LanguageIdentifier(next(iter(inputs.paths(seconds[0]).values()))) if seconds else None
            return OpenIdentifier(model, folder, label_map, second=second)
        if CLASSIFIER in names:
            codes = json.loads(inputs.path(manifest, CODES).read_text(encoding="utf-8"))["recall_of_identifier"]
            own = inputs.path(manifest, CLASSIFIER)
            return CombinedIdentifier(model, own, codes, config.classifier_threshold, label_map)
    if seconds:
        raise BadInput(
            "second_identifier is given, but the language classifier was made without other_text: name that in the "
            "deployment too and run language-models again, or take second_identifier out"
        )
    return LanguageIdentifier(model, label_map)


STAGE = Stage(
    name="identify",
    version=5,
    config=IdentifyConfig,
    body=identify,
    needs={
        "deduplicate": same_unit,
        "ingest": named("language-identifier", "label-map", SECOND),
        "train_lid": all_units,
    },
    optional=frozenset({"train_lid"}),
    packages=("fasttext", "pyarrow"),
)
