"""The 64-bit hashes of a slice's normalised paragraphs (CCNet section 3.2)."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import same_unit
from pipeline.shared_settings import DedupRanges
from pipeline.stage import Inputs, Stage


class HashParagraphsConfig(DedupRanges):
    """The hashes are cut into one file a range."""


def hash_paragraphs(config: HashParagraphsConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.hashing import hash_shard

    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    draft.add(hash_shard(documents, [draft.path(hashes_of(index)) for index in range(config.dedup_ranges)]))


def hashes_of(index: int) -> str:
    """The artifact with one range of the hashes."""
    return f"hashes-{index:05d}.npy"


STAGE = Stage(
    name="hash_paragraphs",
    version=3,
    config=HashParagraphsConfig,
    body=hash_paragraphs,
    needs={"extract": same_unit},
    packages=("numpy", "pyarrow"),
)
