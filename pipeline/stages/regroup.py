"""A language's documents of all slices and dumps in one place, each text once (CCNet's regroup).

The files lie where they are published, under corpus/release=NAME-ID/lang=…/bucket=…/.  ID is a fingerprint that all
languages of a release share, so a release never changes under its readers.
"""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.manifest import fingerprint
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.identify import language_of

LANGUAGE_STATISTICS = "statistics.json"


class RegroupConfig(StageConfig):
    name: str = Field(default="cc100", description="name of the release")
    near_duplicates: float = Field(
        default=0.0, ge=0, le=1, description="Jaccard similarity from which near-duplicates are dropped; 0: none is"
    )
    memory_gib: float = Field(default=2.0, gt=0, exclude=True, description="bound of finding copies; changes no byte")


def regroup(config: RegroupConfig, inputs: Inputs, draft: Draft) -> None:
    """A text that an earlier slice or dump already has is dropped and counted; order is that of dumps and slices."""
    from ccnet.release import regroup as regroup_shards
    from ccnet.stats import language_statistics

    slices = inputs.of("filter_documents")
    shards = [
        inputs.store.open(part) for found in slices for part in found.artifacts if language_of(part.name) == draft.unit
    ]
    folder = draft.path("corpus")
    memory_bytes = int(config.memory_gib * 2**30)
    draft.add(regroup_shards(shards, folder, near_duplicates=config.near_duplicates, memory_bytes=memory_bytes))
    mark = fingerprint(STAGE.name, STAGE.version, "", config.model_dump(mode="json"), tuple(m.key for m in slices))
    parts = sorted(folder.rglob("*.parquet"))
    for part in parts:
        name = part.relative_to(folder).as_posix()
        draft.publish_at(f"corpus/{name}", f"corpus/release={config.name}-{mark[:8]}/{name}")
    draft.write_json(LANGUAGE_STATISTICS, language_statistics(parts))


STAGE = Stage(
    name="regroup",
    version=1,
    config=RegroupConfig,
    body=regroup,
    needs={"filter_documents": Match.ALL},
    packages=("pyarrow",),
)
