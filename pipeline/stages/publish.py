"""A release whole: the files of all languages and their statistics, of which nothing is copied."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.draft import Draft
from pipeline.errors import BadInput, EmptyOutput
from pipeline.needs import all_units, first_part
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.statistics import STATISTICS, language_steps, overview_counts


class PublishConfig(StageConfig):
    """A release is what its languages are."""


def publish(config: PublishConfig, inputs: Inputs, draft: Draft) -> None:
    """List all parts; the statistics, put beside them as _statistics.json, say that the release is whole."""
    from ccnet.stats import merge

    languages: dict[str, list[dict[str, Any]]] = {}
    folders: set[str] = set()
    for manifest in inputs.of("regroup"):
        parts = [artifact for artifact in manifest.artifacts if artifact.name.startswith("corpus/")]
        for part in parts:
            draft.reuse(part)
        if parts:
            languages.setdefault(first_part(manifest.unit), []).append(_json(inputs, manifest))
            folders |= {part.key.split("/lang=")[0] for part in parts}
        kept = manifest.counts["documents_kept"]
        draft.add({"documents_in": kept, "documents_kept": kept})
    if not languages:
        asked = ", ".join(sorted({first_part(manifest.unit) for manifest in inputs.of("regroup")}))
        raise EmptyOutput(f"{draft.unit}: no slice holds a document of {asked}")
    if len(folders) > 1:
        raise BadInput(f"{draft.unit}: languages of {len(folders)} releases came in: {', '.join(sorted(folders))}")
    draft.publish_at(STATISTICS, f"{folders.pop()}/_{STATISTICS}")
    merged = {language: merge(found) for language, found in sorted(languages.items())}
    dumps = {manifest.unit: _json(inputs, manifest) for manifest in inputs.of("summarize")}
    for language, row in merged.items():
        row["steps"] = _language_steps(language, inputs, dumps)
    draft.write_json(
        STATISTICS, {"languages": merged, "dumps": {crawl: {"steps": found["steps"]} for crawl, found in dumps.items()}}
    )
    draft.add(overview_counts(merged))


def _json(inputs: Inputs, manifest: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(inputs.path(manifest, STATISTICS).read_text(encoding="utf-8"))
    return found


def _language_steps(language: str, inputs: Inputs, dumps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What each step kept or dropped of a language, over all dumps, and then what the release dropped."""
    identified, filtered = 0, Counter[str]()
    for dump in dumps.values():
        steps = dump["languages"].get(language, {}).get("steps", {})
        identified += steps.get("identify", {}).get("kept", 0)
        filtered.update(steps.get("filter_documents", {}))
    return language_steps(language, inputs.of("regroup"), {language: filtered}) | {"identify": {"kept": identified}}


STAGE = Stage(
    name="publish",
    version=5,
    config=PublishConfig,
    body=publish,
    needs={"regroup": all_units, "summarize": all_units},
    current="release",
)
