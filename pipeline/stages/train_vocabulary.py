"""One SentencePiece vocabulary for all languages, on raw text sampled with alpha (paper section 3.1)."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import all_units, first_part
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.sample_vocabulary import LINES

MODEL = "sentencepiece.bpe.model"
SAMPLED = "sample.json"  # alpha, and language -> characters sampled


class TrainVocabularyConfig(StageConfig):
    vocabulary_size: int = Field(
        default=250_000, ge=200, le=1_000_000, description="SentencePiece pieces (paper: 250,000)"
    )
    vocabulary_kind: Literal["unigram", "bpe"] = Field(
        default="unigram", description="SentencePiece's model (paper: unigram); bpe cannot be exported"
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
    files = [inputs.folder(manifest, draft.scratch(f"samples/{manifest.unit}")) / LINES for manifest in read]
    counts = train_on_samples(
        files,
        draft.path(MODEL),
        size=config.vocabulary_size,
        character_coverage=config.character_coverage,
        kind=config.vocabulary_kind,
        allow_fewer=config.allow_fewer_pieces,
    )
    sampled: Counter[str] = Counter()
    for manifest in samples:
        sampled[first_part(manifest.unit)] += manifest.counts["characters"]
    characters = {language: n for language, n in sorted(sampled.items()) if n}
    draft.write_json(SAMPLED, {"alpha": samples[0].config["alpha"], "characters": characters})
    draft.add(counts)


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
