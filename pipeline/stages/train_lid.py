"""Our own language classifier for the codes that the identifier lacks or confuses, from reference text; with text in
other languages it learns to refuse those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import named
from pipeline.shared_settings import Languages
from pipeline.stage import Inputs, Stage

if TYPE_CHECKING:
    from ccnet.identify import LanguageIdentifier

CLASSIFIER, CODES = "classifier.bin", "codes.json"
OPEN = "open/"  # what ccnet.open_identifier.OpenIdentifier reads, where there is text in other languages
REFERENCE, OTHER_TEXT = "reference/", "other-text"
PRECISION = 0.95


class TrainLidConfig(Languages):
    least_recall: float = Field(
        default=0.8, ge=0, le=1, description="share of a language's held-out text that the identifier must name"
    )
    classifier_characters: int = Field(
        default=300_000, ge=1000, description="reference text of a language that the classifier reads, characters"
    )
    classifier_epochs: int = Field(default=12, ge=1, le=1000, description="passes of the classifier over the text")
    classifier_precision: float = Field(
        default=PRECISION,
        gt=0,
        lt=1,
        exclude_if=lambda value: value == PRECISION,  # so that fingerprints from before this setting stay
        description="precision on held-out text from which a score of the classifier counts; with other_text only",
    )
    classifier_seed: int = Field(default=1, ge=0, description="seed of the order of the classifier's samples")


def train_lid(config: TrainLidConfig, inputs: Inputs, draft: Draft) -> None:
    """Without reference text, or where the identifier names all wanted languages, there is no classifier."""
    from ccnet.identify import LanguageIdentifier
    from ccnet.language_classifier import samples
    from ccnet.other_text import read_text

    reference = [manifest for manifest in inputs.of("ingest") if manifest.unit.startswith(REFERENCE)]
    folder = draft.scratch("reference")
    for manifest in reference:
        inputs.folder(manifest, folder)
    files = [path for path in sorted(folder.iterdir()) if path.name.endswith((".txt", ".txt.gz"))]
    found = samples({path.name.split(".")[0]: read_text(path) for path in files}, config.classifier_characters)
    draft.add({"samples": sum(map(len, found.values())), "languages_with_text": len(found)})
    if not found:
        return
    identifier = LanguageIdentifier(*given_identifier(inputs))
    others = [manifest for manifest in inputs.of("ingest") if manifest.unit == OTHER_TEXT]
    if others:
        _refusing(config, found, inputs.folder(others[0], draft.scratch(OTHER_TEXT)), identifier, draft)
    else:
        _closed(config, found, identifier, draft)


def _closed(
    config: TrainLidConfig, found: Mapping[str, Sequence[str]], identifier: LanguageIdentifier, draft: Draft
) -> None:
    from ccnet.identify import LanguageIdentifier
    from ccnet.language_classifier import answers, f1_by_language, held_out, needed_codes, train_classifier

    held = held_out(found)
    needed = needed_codes(held, identifier, config.languages, config.least_recall)
    draft.add({"codes": len(needed)})
    if not needed:
        return
    model = draft.path(CLASSIFIER)
    train_classifier(found, model, epochs=config.classifier_epochs, seed=config.classifier_seed)
    classifier = LanguageIdentifier(model)
    scores = f1_by_language(held, {language: answers(classifier, texts) for language, texts in held.items()})
    f1 = {code: scores[code] for code in needed}
    draft.write_json(CODES, {"recall_of_identifier": needed, "f1_on_held_out": f1})


def _refusing(
    config: TrainLidConfig,
    found: Mapping[str, Sequence[str]],
    folder: Path,
    identifier: LanguageIdentifier,
    draft: Draft,
) -> None:
    from ccnet.language_classifier import samples
    from ccnet.open_training import NEVER, OTHER_SAMPLES, train_open_classifier
    from ccnet.other_text import read_other_text

    others = samples(read_other_text(folder), config.classifier_characters, OTHER_SAMPLES)
    rules = train_open_classifier(
        found, others, identifier, config.languages, draft.path(OPEN + CLASSIFIER).parent,
        precision=config.classifier_precision, least_recall=config.least_recall, epochs=config.classifier_epochs,
        seed=config.classifier_seed,
    )  # fmt: skip
    draft.add(
        {
            "codes": sum(rule.alone for rule in rules.values()),
            "codes_never_believed": sum(rule.threshold >= NEVER for rule in rules.values()),
            "other_languages": len(set(others) - set(found)),
        }
    )


def given_identifier(inputs: Inputs) -> tuple[Path, dict[str, str] | None]:
    """The fastText model that was given, and what its labels mean where a table says it."""
    from ccnet.languages import read_label_map

    [model] = inputs.paths(inputs.named("ingest", "language-identifier")).values()
    tables = [m for m in inputs.of("ingest") if m.unit == "label-map"]
    return model, read_label_map(next(iter(inputs.paths(tables[0]).values()))) if tables else None


STAGE = Stage(
    name="train_lid",
    version=3,
    config=TrainLidConfig,
    body=train_lid,
    needs={"ingest": named("language-identifier", "label-map", OTHER_TEXT, REFERENCE)},
    optional=frozenset({"ingest"}),
    packages=("fasttext",),
    current="classifier",
    shared=True,
)
