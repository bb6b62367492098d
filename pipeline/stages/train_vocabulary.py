"""One SentencePiece vocabulary for all languages, on raw text sampled with alpha (paper section 3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.manifest import Manifest
from pipeline.needs import all_units, first_part
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.sample_vocabulary import HELD_OUT, LINES

MODEL = "sentencepiece.bpe.model"
FERTILITY = "fertility.json"  # language -> how finely it is cut
SAMPLED = "sample.json"  # alpha, and language -> characters sampled


class TrainVocabularyConfig(StageConfig):
    vocabulary_size: int = Field(
        default=250_000, ge=200, le=1_000_000, description="SentencePiece pieces (paper: 250,000)"
    )
    vocabulary_kind: Literal["unigram", "bpe"] = Field(
        default="unigram", description="SentencePiece's model (paper: unigram)"
    )
    character_coverage: float = Field(
        default=0.9995, ge=0.9, le=1, description="share of the characters that get a piece (SentencePiece: 0.9995)"
    )
    allow_fewer_pieces: bool = Field(
        default=True,
        description="accept fewer pieces where there is too little text for all; otherwise that is an error",
    )


def train_vocabulary(config: TrainVocabularyConfig, inputs: Inputs, draft: Draft) -> None:
    from training.vocabulary import train_on_samples

    samples = inputs.of("sample_vocabulary")
    read = [manifest for manifest in samples if manifest.counts["lines"]]
    files = [_local(manifest, LINES, draft, inputs) for manifest in read]
    counts = train_on_samples(
        files,
        draft.path(MODEL),
        size=config.vocabulary_size,
        character_coverage=config.character_coverage,
        kind=config.vocabulary_kind,
        allow_fewer=config.allow_fewer_pieces,
    )
    draft.write_json(FERTILITY, _fertility(samples, draft, inputs))
    sampled: Counter[str] = Counter()
    for manifest in samples:
        sampled[first_part(manifest.unit)] += manifest.counts["characters"]
    characters = {language: n for language, n in sorted(sampled.items()) if n}
    draft.write_json(SAMPLED, {"alpha": samples[0].config["alpha"], "characters": characters})
    draft.add(counts)


def _fertility(samples: Sequence[Manifest], draft: Draft, inputs: Inputs) -> dict[str, Any]:
    """Of each language, on lines that were not drawn; where all were drawn, on drawn ones, which `held_out` tells."""
    from training.fertility import count_tokens, fertility
    from training.vocabulary import HELD_OUT_LINES, Vocabulary, read_lines

    vocabulary = Vocabulary.load(draft.path(MODEL))
    counts: dict[tuple[str, bool], Counter[str]] = {}
    for manifest in samples:
        held_out = manifest.counts["lines_not_drawn"] > 0 and any(one.name == HELD_OUT for one in manifest.artifacts)
        lines = islice(read_lines(_local(manifest, HELD_OUT if held_out else LINES, draft, inputs)), HELD_OUT_LINES)
        found = counts.setdefault((first_part(manifest.unit), held_out), Counter())
        found.update(count_tokens(lines, vocabulary))
    # Sorted, so that of a language with both kinds the lines that were held out count.
    chosen = {language: held_out for language, held_out in sorted(counts) if counts[language, held_out]["lines"]}
    return {language: fertility(counts[language, held_out]) | {"held_out": held_out}
            for language, held_out in chosen.items()}  # fmt: skip


def _local(manifest: Manifest, name: str, draft: Draft, inputs: Inputs) -> Path:
    """Under its own name, which says that it is compressed."""
    folder = draft.scratch(f"samples/{manifest.unit}")
    if not (folder / name).exists():
        inputs.folder(manifest, folder, name)
    return folder / name


def vocabulary_of(inputs: Inputs) -> Path:
    """The SentencePiece model: of the checkpoint that a run goes on from, else the one that was trained."""
    made = inputs.of("export") or (inputs.one("train_vocabulary"),)
    return inputs.path(made[0], MODEL)


STAGE = Stage(
    name="train_vocabulary",
    version=2,
    config=TrainVocabularyConfig,
    body=train_vocabulary,
    needs={"sample_vocabulary": all_units, "publish": all_units},
    packages=("sentencepiece",),
    current="vocabulary",
    shared=True,
)
