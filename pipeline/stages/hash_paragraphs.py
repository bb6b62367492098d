"""The 64-bit hashes of a slice's normalised paragraphs (CCNet section 3.2)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class HashConfig(StageConfig):
    ranges: int = Field(default=1, ge=1, description="files that the hashes are cut into, each a range of them")


def hash_paragraphs(config: HashConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.hashing import hash_shard

    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    draft.add(hash_shard(documents, [draft.path(hashes_of(index)) for index in range(config.ranges)]))


def hashes_of(index: int) -> str:
    """The artifact with one range of the hashes."""
    return f"hashes-{index:05d}.npy"


STAGE = Stage(
    name="hash_paragraphs",
    version=2,
    config=HashConfig,
    body=hash_paragraphs,
    needs={"extract": Match.SAME_UNIT},
    packages=("numpy", "pyarrow"),
)
