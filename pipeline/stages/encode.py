"""A part of a language as blocks of piece ids: whole-stream, one language a block, </s> between documents."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import all_units, same_unit, start_from
from pipeline.release import texts_of_part
from pipeline.shared_settings import BlockTokens, Buckets, StartFrom
from pipeline.stage import Inputs, Stage
from pipeline.stages.train_vocabulary import vocabulary_of

BLOCKS = "blocks.npy"


class EncodeConfig(BlockTokens, Buckets, StartFrom):
    """Which text, cut how long."""


def encode(config: EncodeConfig, inputs: Inputs, draft: Draft) -> None:
    """A part without documents leaves a manifest with zero blocks."""
    from training.blocks import write_blocks
    from training.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(vocabulary_of(inputs))
    texts = texts_of_part(inputs, inputs.one("regroup"), config.buckets)
    counts = write_blocks(texts, vocabulary, draft.path(BLOCKS), block_tokens=config.block_tokens)
    # These are amounts of text, not a filter's balance.
    draft.add({name: n for name, n in counts.items() if name != "documents"} | {"texts": counts["documents"]})


STAGE = Stage(
    name="encode",
    version=2,
    config=EncodeConfig,
    body=encode,
    needs={"regroup": same_unit, "train_vocabulary": all_units},
    optional=frozenset({"train_vocabulary"}),
    builds_on={"export": start_from},
    packages=("sentencepiece", "numpy"),
)
