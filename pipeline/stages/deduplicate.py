"""Remove the paragraphs that other documents have (CCNet section 3.2)."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import same_crawl, same_unit
from pipeline.shared_settings import DedupScope
from pipeline.stage import Inputs, Stage
from pipeline.stages.find_duplicates import losses_of
from pipeline.stages.gather_hashes import slice_of


class DeduplicateConfig(DedupScope):
    """CCNet keeps no copy; with dedup=global the first one stays."""


def deduplicate(config: DeduplicateConfig, inputs: Inputs, draft: Draft) -> None:
    import numpy as np

    from ccnet.deduplicate import deduplicate_shard
    from ccnet.duplicates import load_hashes

    found = [
        load_hashes(inputs.path(manifest, losses_of(slice_of(draft.unit)))) for manifest in inputs.of("find_duplicates")
    ]
    documents = inputs.path(inputs.one("extract"), "documents.parquet")
    once = None
    if config.dedup == "global":
        own = [np.load(path, mmap_mode="r") for _, path in sorted(inputs.paths(inputs.one("hash_paragraphs")).items())]
        once = np.concatenate([hashes["hash"][hashes["repeated"] == 1] for hashes in own])
    draft.add(deduplicate_shard(documents, np.concatenate(found), draft.path("documents.parquet"), once=once))


STAGE = Stage(
    name="deduplicate",
    version=4,
    config=DeduplicateConfig,
    body=deduplicate,
    needs={"extract": same_unit, "hash_paragraphs": same_unit, "find_duplicates": same_crawl},
    packages=("numpy", "pyarrow"),
)
