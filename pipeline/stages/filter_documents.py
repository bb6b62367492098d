"""Filters beyond CCNet's (block lists, heuristics, boilerplate, masks), off unless a run asks for them."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.identify import DOCUMENTS, language_of

EXCLUDED = "excluded"
REASONS = "reasons.json"  # language -> why documents were dropped -> how many


class FilterDocumentsConfig(StageConfig):
    mask: bool = Field(default=False, description="mask emails and IP addresses")
    keep_excluded: bool = Field(default=False, description=f"write what goes, with its reason, to {EXCLUDED}/")


def filter_documents(config: FilterDocumentsConfig, inputs: Inputs, draft: Draft) -> None:
    """Without a filter the artifacts of filter_perplexity are taken over as they lie."""
    scored = inputs.one("filter_perplexity")
    given = inputs.of("ingest")
    if not given and not config.mask:
        for artifact in scored.artifacts:
            draft.reuse(artifact)
        return
    from ccnet.filters import filter_shard, read_filters

    folder = draft.scratch("filters")
    if given:
        inputs.folder(given[0], folder)
    filters = read_filters(folder, mask=config.mask)
    dropped = {}
    for name, documents in inputs.paths(scored).items():
        excluded = draft.path(name.replace(DOCUMENTS, EXCLUDED, 1)) if config.keep_excluded else None
        counts = filter_shard(documents, filters, draft.path(name), excluded)
        reasons = {reason: n for reason, n in counts.items() if reason.startswith("dropped_")}
        dropped[language_of(name)] = {reason.removeprefix("dropped_"): n for reason, n in reasons.items()}
        draft.add(counts)
    draft.write_json(REASONS, dropped)


STAGE = Stage(
    name="filter_documents",
    version=2,
    config=FilterDocumentsConfig,
    body=filter_documents,
    needs={"filter_perplexity": Match.SAME_UNIT, "ingest": "filters"},
    optional=frozenset({"ingest"}),
    packages=("pyarrow",),
)
