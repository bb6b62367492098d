"""Remove the paragraphs that other documents have (CCNet section 3.2)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.find_duplicates import losses_of


class DeduplicateConfig(StageConfig):
    keep_first: bool = Field(default=False, description="keep the first copy (dedup=global); CCNet keeps none")


def deduplicate(config: DeduplicateConfig, inputs: Inputs, draft: Draft) -> None:
    import numpy as np

    from ccnet.deduplicate import deduplicate_shard
    from ccnet.duplicates import load_hashes

    losses = load_hashes(inputs.path(inputs.one("find_duplicates"), losses_of(draft.unit)))
    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    once = None
    if config.keep_first:
        own = np.load(inputs.path(inputs.one("hash_paragraphs"), "hashes.npy"), mmap_mode="r")
        once = own["hash"][own["repeated"] == 1]
    draft.add(deduplicate_shard(documents, losses, draft.path("documents.parquet"), once=once))


STAGE = Stage(
    name="deduplicate",
    version=2,
    config=DeduplicateConfig,
    body=deduplicate,
    needs={"extract": Match.SAME_UNIT, "hash_paragraphs": Match.SAME_UNIT, "find_duplicates": Match.SAME_CRAWL},
    packages=("numpy", "pyarrow"),
)
