"""Our own language classifier for the codes that the identifier lacks or confuses, from reference text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import named
from pipeline.shared_settings import Languages
from pipeline.stage import Inputs, Stage

CLASSIFIER, CODES = "classifier.bin", "codes.json"
REFERENCE = "reference/"


class TrainLidConfig(Languages):
    least_recall: float = Field(
        default=0.8, ge=0, le=1, description="share of a language's held-out text that the identifier must name"
    )
    classifier_characters: int = Field(
        default=300_000, ge=1000, description="reference text of a language that the classifier reads, characters"
    )
    classifier_epochs: int = Field(default=12, ge=1, le=1000, description="passes of the classifier over the text")
    classifier_seed: int = Field(default=1, ge=0, description="seed of the order of the classifier's samples")


def train_lid(config: TrainLidConfig, inputs: Inputs, draft: Draft) -> None:
    """Without reference text, or where the identifier names all wanted languages, there is no classifier."""
    from ccnet.identify import LanguageIdentifier
    from ccnet.language_classifier import answers, f1_by_language, held_out, needed_codes, samples, train_classifier

    reference = [manifest for manifest in inputs.of("ingest") if manifest.unit.startswith(REFERENCE)]
    folder = draft.scratch("reference")
    for manifest in reference:
        inputs.folder(manifest, folder)
    files = [path for path in sorted(folder.iterdir()) if path.name.endswith((".txt", ".txt.gz"))]
    texts = {path.name.split(".")[0]: _lines(path) for path in files}
    found = samples(texts, config.classifier_characters)
    draft.add({"samples": sum(map(len, found.values())), "languages_with_text": len(found)})
    if not found:
        return
    held = held_out(found)
    needed = needed_codes(held, LanguageIdentifier(*given_identifier(inputs)), config.languages, config.least_recall)
    draft.add({"codes": len(needed)})
    if not needed:
        return
    model = draft.path(CLASSIFIER)
    train_classifier(found, model, epochs=config.classifier_epochs, seed=config.classifier_seed)
    classifier = LanguageIdentifier(model)
    scores = f1_by_language(held, {language: answers(classifier, texts) for language, texts in held.items()})
    f1 = {code: scores[code] for code in needed}
    draft.write_json(CODES, {"recall_of_identifier": needed, "f1_on_held_out": f1})


def given_identifier(inputs: Inputs) -> tuple[Path, dict[str, str] | None]:
    """The fastText model that was given, and what its labels mean where a table says it."""
    from ccnet.languages import read_label_map

    [model] = inputs.paths(inputs.named("ingest", "language-identifier")).values()
    tables = [m for m in inputs.of("ingest") if m.unit == "label-map"]
    return model, read_label_map(next(iter(inputs.paths(tables[0]).values()))) if tables else None


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        yield from file


STAGE = Stage(
    name="train_lid",
    version=3,
    config=TrainLidConfig,
    body=train_lid,
    needs={"ingest": named("language-identifier", "label-map", REFERENCE)},
    optional=frozenset({"ingest"}),
    packages=("fasttext",),
    current="classifier",
    shared=True,
)
