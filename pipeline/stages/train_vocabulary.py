"""One SentencePiece unigram vocabulary for all languages, on raw text sampled with alpha (paper section 3.1)."""

from __future__ import annotations

from functools import partial

from pydantic import Field

from pipeline.draft import Draft
from pipeline.release import Release
from pipeline.stage import Inputs, Match, Stage, StageConfig

MODEL = "sentencepiece.bpe.model"


class TrainVocabularyConfig(StageConfig):
    size: int = Field(default=8_000, ge=200, description="pieces (paper: 250,000)")
    alpha: float = Field(default=0.3, gt=0, le=1, description="exponent of language sampling (paper: 0.3)")
    buckets: tuple[str, ...] = Field(default=("head", "middle", "tail", "all"), description="buckets to read")
    max_characters: int = Field(default=8_000_000, ge=10_000, description="characters sampled in all")
    seed: int = Field(default=1, ge=0, description="seed of the sample")


def train_vocabulary(config: TrainVocabularyConfig, inputs: Inputs, draft: Draft) -> None:
    from training.vocabulary import Vocabulary
    from training.vocabulary import train_vocabulary as train

    release = Release.open(inputs, draft.scratch("release"))
    characters = release.characters(config.buckets)
    sampled = train(
        {language: partial(release.texts, language, config.buckets) for language in characters},
        characters,
        draft.path(MODEL),
        size=config.size,
        alpha=config.alpha,
        max_characters=config.max_characters,
        seed=config.seed,
    )
    draft.write_json("sample.json", sampled)
    pieces = len(Vocabulary.load(draft.path(MODEL))) - 2  # <pad> and <mask> are no pieces of SentencePiece
    draft.add({"pieces": pieces, "languages": len(characters), "characters": sum(sampled.values())})


STAGE = Stage(
    name="train_vocabulary",
    version=1,
    config=TrainVocabularyConfig,
    body=train_vocabulary,
    needs={"publish": Match.ALL},
    packages=("sentencepiece",),
)
