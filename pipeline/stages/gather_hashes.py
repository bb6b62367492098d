"""The hashes of a dump's slices under one manifest, so that another dump finds them by one key; nothing is copied."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import same_crawl
from pipeline.shared_settings import DedupScope
from pipeline.stage import Inputs, Stage


class GatherHashesConfig(DedupScope):
    series: str = Field(
        default="",
        description="dumps whose hashes can be compared; with dedup=global the dump takes the next place among them "
        "(pipeline/dump_order.py); empty: none",
    )


def gather_hashes(config: GatherHashesConfig, inputs: Inputs, draft: Draft) -> None:
    for manifest in inputs.of("hash_paragraphs"):
        for artifact in manifest.artifacts:
            draft.reuse(artifact.model_copy(update={"name": f"{slice_of(manifest.unit)}/{artifact.name}"}))
        draft.add({"slices": 1, "hashes": manifest.counts["hashes"]})


def slice_of(unit: str) -> str:
    """00000-of-00002 of CC-MAIN-2019-35/00000-of-00002."""
    return unit.rsplit("/", 1)[1]


STAGE = Stage(
    name="gather_hashes",
    version=1,
    config=GatherHashesConfig,
    body=gather_hashes,
    needs={"hash_paragraphs": same_crawl},
)
