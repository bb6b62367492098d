"""A part of a language's documents of all slices and dumps, each text once (CCNet's regroup).

The files lie where they are published, under corpus/release=NAME-ID/lang=…/bucket=…/.  ID is a fingerprint that all
parts of a release share, so a release never changes under its readers.
"""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.manifest import fingerprint
from pipeline.needs import all_units, first_part, same_language, slices_of_part
from pipeline.shared_settings import NearDuplicates, ReleaseName
from pipeline.stage import Inputs, Stage
from pipeline.stages.find_copies import stays_of
from pipeline.stages.identify import DOCUMENTS
from pipeline.statistics import STATISTICS


class RegroupConfig(ReleaseName, NearDuplicates):
    max_file_mib: float = Field(default=512, gt=0, le=65_536, description="size of one file of a release, MiB")
    dumps_of: dict[str, tuple[str, ...]] = Field(
        default={},
        description='the dumps that a language is taken from, e.g. {"en": ["CC-MAIN-2018-51"]}; languages not named '
        "take all (the paper: one dump for English, twelve for the others)",
    )


def regroup(config: RegroupConfig, inputs: Inputs, draft: Draft) -> None:
    """Documents keep the order of dumps and slices; a file that is full is followed by another."""
    from ccnet.release import regroup as regroup_shards
    from ccnet.stats import language_statistics

    language = first_part(draft.unit)
    part = int(draft.unit.rsplit("/", 1)[1].split("-")[0])
    name = f"{DOCUMENTS}/{language}.parquet"
    chosen = inputs.one("find_copies")
    slices = [m for m in inputs.of("filter_documents") if any(artifact.name == name for artifact in m.artifacts)]
    shards = [(inputs.path(found, name), inputs.path(chosen, stays_of(found.unit))) for found in slices]
    folder = draft.path("corpus")
    draft.add(regroup_shards(shards, folder, part=part, max_file_bytes=int(config.max_file_mib * 2**20)))
    dumps = tuple(manifest.key for manifest in inputs.of("summarize"))
    mark = fingerprint(STAGE.name, STAGE.version, "", config.model_dump(mode="json"), dumps)
    parts = sorted(folder.rglob("*.parquet"))
    for path in parts:
        place = path.relative_to(folder).as_posix()
        draft.publish_at(f"corpus/{place}", f"corpus/release={config.release}-{mark[:8]}/{place}")
    draft.write_json(STATISTICS, language_statistics(parts))


STAGE = Stage(
    name="regroup",
    version=2,
    config=RegroupConfig,
    body=regroup,
    needs={"find_copies": same_language, "filter_documents": slices_of_part, "summarize": all_units},
    packages=("pyarrow",),
)
