"""The 64-bit hashes of a slice's normalised paragraphs (CCNet section 3.2)."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class HashConfig(StageConfig):
    """CCNet's hashing has no choices."""


def hash_paragraphs(config: HashConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.hashing import hash_shard

    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    draft.add(hash_shard(documents, draft.path("hashes.npy")))


STAGE = Stage(
    name="hash_paragraphs",
    version=1,
    config=HashConfig,
    body=hash_paragraphs,
    needs={"extract": Match.SAME_UNIT},
    packages=("numpy", "pyarrow"),
)
