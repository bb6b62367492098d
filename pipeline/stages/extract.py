"""WARC or WET records to documents: decoded, text only, long enough (CCNet section 3.1)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig


class ExtractConfig(StageConfig):
    min_characters: int = Field(default=300, ge=1, description="least text of a page, characters, before deduplication")
    max_bad_fraction: float = Field(default=0.5, ge=0, le=1, description="broken records beyond which the slice fails")


def extract(config: ExtractConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.extract import extract_files

    files = list(inputs.paths(inputs.one("fetch")).items())
    counts = extract_files(
        files,
        draft.path("documents.parquet"),
        min_characters=config.min_characters,
        max_bad_fraction=config.max_bad_fraction,
    )
    draft.add(counts)


STAGE = Stage(
    name="extract",
    version=3,
    config=ExtractConfig,
    body=extract,
    needs={"fetch": Match.SAME_UNIT},
    packages=("resiliparse", "pyarrow"),
)
