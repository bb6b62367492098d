"""Remove paragraphs that occur in two or more documents of the dump, every copy of them (CCNet section 3.2)."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class DeduplicateConfig(StageConfig):
    """CCNet's removal has no choices; the group is the dump's slices."""


def deduplicate(config: DeduplicateConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.deduplicate import deduplicate_shard, load_duplicates

    hashes = [inputs.path(manifest, "hashes.npy") for manifest in inputs.of("hash_paragraphs")]
    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    draft.add(deduplicate_shard(documents, load_duplicates(hashes), draft.path("documents.parquet")))


STAGE = Stage(
    name="deduplicate",
    version=1,
    config=DeduplicateConfig,
    body=deduplicate,
    needs={"extract": Match.SAME_UNIT, "hash_paragraphs": Match.SAME_CRAWL},
    packages=("numpy", "pyarrow"),
)
