"""Filters beyond CCNet's (block lists, heuristics, boilerplate, masks), off unless a run asks for them."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import named, same_unit
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.filter_perplexity import SliceDescription
from pipeline.stages.identify import DOCUMENTS, language_of

EXCLUDED = "excluded"
REASONS = "reasons.json"  # language -> why documents were dropped -> how many


class FilterDocumentsConfig(StageConfig):
    mask_contacts: bool = Field(default=False, description="mask email and IP addresses")
    keep_excluded: bool = Field(
        default=False, description="write what the filters drop, with the reason, to files of its own"
    )


def filter_documents(config: FilterDocumentsConfig, inputs: Inputs, draft: Draft) -> None:
    """Without a filter the artifacts of filter_perplexity are taken over as they lie."""
    scored = inputs.one("filter_perplexity")
    given = inputs.of("ingest")
    if not given and not config.mask_contacts:
        for artifact in scored.artifacts:
            draft.reuse(artifact)
        kept = scored.counts["documents_written"]
        draft.add({"documents_in": kept, "documents_kept": kept})
        return
    from ccnet.filters import filter_shard, read_filters

    folder = draft.scratch("filters")
    if given:
        inputs.folder(given[0], folder)
    filters = read_filters(folder, mask=config.mask_contacts)
    dropped = {}
    described = SliceDescription(draft)
    for name in (artifact.name for artifact in scored.artifacts if language_of(artifact.name)):
        excluded = draft.path(name.replace(DOCUMENTS, EXCLUDED, 1)) if config.keep_excluded else None
        with described.language(language_of(name)) as on_batch:
            counts = filter_shard(inputs.path(scored, name), filters, draft.path(name), excluded, on_batch)
        reasons = {reason: n for reason, n in counts.items() if reason.startswith("dropped_")}
        dropped[language_of(name)] = {reason.removeprefix("dropped_"): n for reason, n in reasons.items()}
        draft.add(counts)
    described.write()
    draft.write_json(REASONS, dropped)


STAGE = Stage(
    name="filter_documents",
    version=4,
    config=FilterDocumentsConfig,
    body=filter_documents,
    needs={"filter_perplexity": same_unit, "ingest": named("filters")},
    optional=frozenset({"ingest"}),
    packages=("pyarrow",),
)
