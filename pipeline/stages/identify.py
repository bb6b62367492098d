"""Name each document's language with fastText; keep those asked for (CCNet section 3.3)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class IdentifyConfig(StageConfig):
    languages: tuple[str, ...] = Field(min_length=1, description="codes to keep, e.g. en, sw, zh-Hans")
    threshold: float = Field(
        default=0.5, ge=0, le=1, description="least score, after rounding to 2 decimals (CCNet: 0.5)"
    )


def identify(config: IdentifyConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.identify import LanguageIdentifier, identify_shard

    [model] = inputs.paths(inputs.one("ingest")).values()
    documents = inputs.path(inputs.one("deduplicate"), "documents.parquet")
    counts = identify_shard(
        documents,
        LanguageIdentifier(model),
        draft.path("documents.parquet"),
        threshold=config.threshold,
        languages=config.languages,
    )
    draft.add(counts)


STAGE = Stage(
    name="identify",
    version=1,
    config=IdentifyConfig,
    body=identify,
    needs={"deduplicate": Match.SAME_UNIT, "ingest": "language-identifier"},
    packages=("fasttext", "pyarrow"),
)
