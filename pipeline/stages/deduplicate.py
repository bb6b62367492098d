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

    found = [load_hashes(inputs.path(manifest, losses_of(draft.unit))) for manifest in inputs.of("find_duplicates")]
    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    once = None
    if config.keep_first:
        own = [np.load(path, mmap_mode="r") for _, path in sorted(inputs.paths(inputs.one("hash_paragraphs")).items())]
        once = np.concatenate([hashes["hash"][hashes["repeated"] == 1] for hashes in own])
    draft.add(deduplicate_shard(documents, np.concatenate(found), draft.path("documents.parquet"), once=once))


STAGE = Stage(
    name="deduplicate",
    version=3,
    config=DeduplicateConfig,
    body=deduplicate,
    needs={"extract": Match.SAME_UNIT, "hash_paragraphs": Match.SAME_UNIT, "find_duplicates": Match.SAME_CRAWL},
    packages=("numpy", "pyarrow"),
)
