"""The release: Hive-partitioned Parquet under corpus/release=NAME-FINGERPRINT/lang=…/bucket=…/.

Its name carries the fingerprint, so a published release never changes.
"""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.release import STATISTICS
from pipeline.stage import Inputs, Match, Stage, StageConfig


class PublishConfig(StageConfig):
    name: str = Field(default="cc100", description="name of the release")
    near_duplicates: float = Field(
        default=0.0, ge=0, le=1, description="Jaccard similarity from which near-duplicates are dropped; 0: none is"
    )


def publish(config: PublishConfig, inputs: Inputs, draft: Draft) -> None:
    """Gather all slices of all dumps; a text that an earlier dump already has is dropped and counted."""
    from ccnet.release import publish as publish_shards
    from ccnet.stats import corpus_statistics

    shards = [inputs.path(manifest, "documents.parquet") for manifest in inputs.of("filter_documents")]
    release = f"{config.name}-{draft.prefix.rsplit('/', 1)[1][:8]}"
    folder = draft.path("corpus")
    draft.add(publish_shards(shards, folder, near_duplicates=config.near_duplicates))
    names = [path.relative_to(folder.parent).as_posix() for path in sorted(folder.rglob("*.parquet"))]
    draft.write_json(STATISTICS, corpus_statistics(folder))
    for name in names:
        draft.publish_at(name, f"corpus/release={release}/{name.removeprefix('corpus/')}")


STAGE = Stage(
    name="publish",
    version=2,
    config=PublishConfig,
    body=publish,
    needs={"filter_documents": Match.ALL},
    packages=("pyarrow",),
)
