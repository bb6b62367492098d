"""A dump that is finished: what each step kept and dropped of it, and the statistics of each of its languages."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.draft import Draft
from pipeline.manifest import Manifest
from pipeline.needs import same_crawl
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.filter_documents import MASKED, REASONS
from pipeline.stages.identify import MEASURED
from pipeline.statistics import PRECISION, STATISTICS, language_steps, overview_counts, steps_of

# The stages that documents pass, in order.
STEPS = ("extract", "deduplicate", "identify", "filter_perplexity", "filter_documents")


class SummarizeConfig(StageConfig):
    """A dump is what its slices are."""


def summarize(config: SummarizeConfig, inputs: Inputs, draft: Draft) -> None:
    """The manifest says that the dump is whole; a release is made of such manifests."""
    from ccnet.stats import merge_languages

    reasons, masked = (_sums(inputs, name) for name in (REASONS, MASKED))
    languages = merge_languages(_json(inputs, manifest, STATISTICS) for manifest in inputs.of("filter_documents"))
    identified = inputs.of("identify")
    measured = next(filter(None, (_json(inputs, manifest, MEASURED) for manifest in identified)), {})
    for language, row in languages.items():
        row["steps"] = language_steps(language, identified, reasons)
        if language in masked:
            row["masked"] = dict(masked[language])
        if language in measured:
            row[PRECISION] = measured[language]
    steps = steps_of(manifest for stage in STEPS for manifest in inputs.of(stage))
    draft.write_json(STATISTICS, {"crawl": draft.unit, "steps": steps, "languages": languages})
    draft.add({"slices": len(inputs.of("filter_documents")), **overview_counts(languages)})


def _sums(inputs: Inputs, name: str) -> dict[str, Counter[str]]:
    """language -> what the slices' artifacts of that name count."""
    sums: dict[str, Counter[str]] = {}
    for manifest in inputs.of("filter_documents"):
        for language, row in _json(inputs, manifest, name).items():
            sums.setdefault(language, Counter()).update(row)
    return sums


def _json(inputs: Inputs, manifest: Manifest, name: str) -> dict[str, Any]:
    """An artifact that need not be there."""
    if not any(artifact.name == name for artifact in manifest.artifacts):
        return {}
    found: dict[str, Any] = json.loads(inputs.path(manifest, name).read_text(encoding="utf-8"))
    return found


STAGE = Stage(
    name="summarize",
    version=1,
    config=SummarizeConfig,
    body=summarize,
    needs=dict.fromkeys(STEPS, same_crawl),
    current="dump",
)
