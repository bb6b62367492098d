"""WARC or WET records to documents: decoded, text only, long enough (CCNet section 3.1)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import same_unit
from pipeline.stage import Inputs, Stage, StageConfig


class ExtractConfig(StageConfig):
    min_characters: int = Field(
        default=300,
        ge=1,
        le=100_000,
        description="shortest page to keep, before deduplication, characters (CCNet: 300)",
    )
    max_bad_fraction: float = Field(
        default=0.5, ge=0, le=1, description="share of broken records beyond which a slice fails"
    )


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
    version=4,
    config=ExtractConfig,
    body=extract,
    needs={"fetch": same_unit},
    packages=("resiliparse", "pyarrow"),
)
