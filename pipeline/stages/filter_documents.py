"""Filters beyond CCNet's (block lists, heuristics, boilerplate, masks), off unless a run asks for them."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig

EXCLUDED = "excluded.parquet"


class FilterDocumentsConfig(StageConfig):
    mask: bool = Field(default=False, description="mask emails and IP addresses")
    keep_excluded: bool = Field(default=False, description=f"write what goes, with its reason, to {EXCLUDED}")


def filter_documents(config: FilterDocumentsConfig, inputs: Inputs, draft: Draft) -> None:
    """Without a filter the artifact of filter_perplexity is taken over as it lies."""
    scored = inputs.one("filter_perplexity")
    given = inputs.of("ingest")
    if not given and not config.mask:
        draft.reuse(scored.artifact("documents.parquet"))
        return
    from ccnet.filters import filter_shard, read_filters

    folder = draft.scratch("filters")
    if given:
        inputs.folder(given[0], folder)
    filters = read_filters(folder, mask=config.mask)
    excluded = draft.path(EXCLUDED) if config.keep_excluded else None
    documents = inputs.path(scored, "documents.parquet")
    draft.add(filter_shard(documents, filters, draft.path("documents.parquet"), excluded))


STAGE = Stage(
    name="filter_documents",
    version=1,
    config=FilterDocumentsConfig,
    body=filter_documents,
    needs={"filter_perplexity": Match.SAME_UNIT, "ingest": "filters"},
    optional=frozenset({"ingest"}),
    packages=("pyarrow",),
)
