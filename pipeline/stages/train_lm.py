"""A language's model of clean text: SentencePiece pieces and a KenLM n-gram model over them (CCNet section 4.2)."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from ccnet.languages import script_free
from pipeline.draft import Draft
from pipeline.manifest import Manifest
from pipeline.needs import named
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.tools import find_tool

SP_MODEL, ARPA_BIN = "sp.model", "arpa.bin"


class TrainLmConfig(StageConfig):
    language_model_order: int = Field(default=5, ge=2, le=6, description="order of the KenLM n-grams (CCNet: 5)")
    language_model_pieces: int = Field(
        default=65_536,
        ge=100,
        le=500_000,
        description="most SentencePiece pieces of a language model (CCNet: 65,536); little text gets fewer",
    )
    language_model_prune: tuple[int, ...] = Field(
        default=(), max_length=6, description="lmplz --prune: counts at or below go, one an order, e.g. 0 0 1"
    )
    language_model_structure: Literal["probing", "trie"] = Field(
        default="probing", description="build_binary's structure: probing is fast (CCNet), trie takes half the memory"
    )
    language_model_bits: int = Field(
        default=0, ge=0, le=25, description="bits of a trie's quantised probabilities and backoffs; 0: not quantised"
    )


def train_lm(config: TrainLmConfig, inputs: Inputs, draft: Draft) -> None:
    """A given model is taken as it is; a language without reference text gets a manifest without a model: its
    documents go to the bucket `all`."""
    from ccnet.language_model import train_language_model

    for code in (draft.unit, script_free(draft.unit)):
        given = {name: _ingested(inputs, f"{code}.{name}") for name in (SP_MODEL, ARPA_BIN)}
        if all(given.values()):
            for name, [(manifest, artifact), *_] in given.items():
                shutil.copyfile(inputs.path(manifest, artifact), draft.path(name))
            draft.add({"models_given": 1})
            return
    found = _ingested(inputs, f"{draft.unit}.txt.gz", f"{draft.unit}.txt")
    if not found:
        draft.add({"lines": 0})
        return
    reference, name = found[0]
    folder = draft.scratch("model")
    counts = train_language_model(
        _lines(inputs.path(reference, name), compressed=name.endswith(".gz")),
        folder,
        lmplz=find_tool("lmplz"),
        build_binary=find_tool("build_binary"),
        order=config.language_model_order,
        vocabulary_size=config.language_model_pieces,
        prune=config.language_model_prune,
        structure=config.language_model_structure,
        bits=config.language_model_bits,
    )
    draft.add(counts)
    for name in (SP_MODEL, ARPA_BIN):
        if (folder / name).exists():
            (folder / name).replace(draft.path(name))


def _ingested(inputs: Inputs, *names: str) -> list[tuple[Manifest, str]]:
    return [(manifest, a.name) for manifest in inputs.of("ingest") for a in manifest.artifacts if a.name in names]


def _lines(path: Path, *, compressed: bool) -> Iterator[str]:
    opened = gzip.open if compressed else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def language_models(inputs: Inputs, languages: Collection[str]) -> dict[str, tuple[Path, Path]]:
    """language -> (sp.model, arpa.bin) of those of the languages that have a model."""
    named = [manifest for manifest in inputs.of("train_lm") if manifest.unit in languages]
    manifests = [manifest for manifest in named if any(a.name == ARPA_BIN for a in manifest.artifacts)]
    return {m.unit: (inputs.path(m, SP_MODEL), inputs.path(m, ARPA_BIN)) for m in manifests}


STAGE = Stage(
    name="train_lm",
    version=4,
    config=TrainLmConfig,
    body=train_lm,
    needs={"ingest": named("reference/{language}", "language-models/{language}")},
    optional=frozenset({"ingest"}),
    packages=("sentencepiece", "kenlm"),
    current="language_model",
    shared=True,
)
