"""A language's documents as blocks of piece ids: whole-stream, one language a block, </s> between documents."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.release import Release
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.train_vocabulary import MODEL


class EncodeConfig(StageConfig):
    block_tokens: int = Field(default=128, ge=16, description="tokens of one block, specials included (paper: 512)")
    buckets: tuple[str, ...] = Field(default=("head", "middle", "tail", "all"), description="buckets to read")


def encode(config: EncodeConfig, inputs: Inputs, draft: Draft) -> None:
    """A language without documents leaves a manifest with zero blocks."""
    from training.blocks import write_blocks
    from training.vocabulary import Vocabulary

    release = Release.open(inputs, draft.scratch("release"), draft.unit)
    vocabulary = Vocabulary.load(inputs.path(inputs.one("train_vocabulary"), MODEL))
    texts = release.texts(draft.unit, config.buckets)
    counts = write_blocks(texts, vocabulary, draft.path("blocks.npy"), block_tokens=config.block_tokens)
    # These are amounts of text, not a filter's balance.
    draft.add({name: n for name, n in counts.items() if name != "documents"} | {"texts": counts["documents"]})


STAGE = Stage(
    name="encode",
    version=1,
    config=EncodeConfig,
    body=encode,
    needs={"publish": Match.ALL, "train_vocabulary": Match.ALL},
    packages=("sentencepiece", "numpy"),
)
