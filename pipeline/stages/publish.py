"""A release whole: the files of all languages and their statistics, of which nothing is copied."""

from __future__ import annotations

import json

from pipeline.draft import Draft
from pipeline.errors import BadInput, EmptyOutput
from pipeline.release import STATISTICS
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.regroup import LANGUAGE_STATISTICS


class PublishConfig(StageConfig):
    """A release is what its languages are."""


def publish(config: PublishConfig, inputs: Inputs, draft: Draft) -> None:
    """List all parts; the statistics, put beside them as _statistics.json, say that the release is whole."""
    languages = {}
    folders: set[str] = set()
    for manifest in inputs.of("regroup"):
        parts = [artifact for artifact in manifest.artifacts if artifact.name.startswith("corpus/")]
        for part in parts:
            draft.reuse(part)
        if parts:
            statistics = json.loads(inputs.path(manifest, LANGUAGE_STATISTICS).read_text(encoding="utf-8"))
            languages[manifest.unit] = statistics
            folders |= {part.key.split("/lang=")[0] for part in parts}
        draft.add(
            {"documents_in": manifest.counts["documents_kept"], "documents_kept": manifest.counts["documents_kept"]}
        )
    if not languages:
        raise EmptyOutput(
            f"{draft.unit}: no slice holds a document of {', '.join(m.unit for m in inputs.of('regroup'))}"
        )
    if len(folders) > 1:
        raise BadInput(f"{draft.unit}: languages of {len(folders)} releases came in: {', '.join(sorted(folders))}")
    draft.publish_at(STATISTICS, f"{folders.pop()}/_{STATISTICS}")
    draft.write_json(STATISTICS, {"languages": languages})


STAGE = Stage(
    name="publish",
    version=4,
    config=PublishConfig,
    body=publish,
    needs={"regroup": Match.ALL},
)
