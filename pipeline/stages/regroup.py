"""A part of a language's documents of all slices and dumps, each text once (CCNet's regroup).

The files lie where they are published, under corpus/release=NAME-ID/lang=…/bucket=…/.  ID is a fingerprint that all
parts of a release share, so a release never changes under its readers.  A part that loses documents to the removal list
lies in a place of its own; `publish` puts it into the release.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import MissingArtifact
from pipeline.manifest import fingerprint
from pipeline.needs import all_units, first_part, same_language, slices_of_part
from pipeline.shared_settings import NearDuplicates, ReleaseName
from pipeline.stage import Inputs, Stage
from pipeline.stages.find_copies import stays_of
from pipeline.stages.identify import DOCUMENTS
from pipeline.stages.index_benchmarks import read_index
from pipeline.statistics import STATISTICS


class RegroupChoices(ReleaseName, NearDuplicates):
    max_file_mib: float = Field(default=512, gt=0, le=65_536, description="size of one file of a release, MiB")
    dumps_of: dict[str, tuple[str, ...]] = Field(
        default={},
        description='the dumps that a language is taken from, e.g. {"en": ["CC-MAIN-2018-51"]}; languages not named '
        "take all (the paper: one dump for English, twelve for the others)",
    )
    decontaminate: Literal["off", "mark", "drop"] = Field(
        default="off",
        exclude_if=lambda choice: choice == "off",
        description="documents that hold text of a benchmark's dev or test set: mark them in a column `benchmarks`, or "
        "drop them; the deployment names the benchmarks' folder",
    )


class RegroupConfig(RegroupChoices):
    removed: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda entries: not entries,  # without them it is the work that it was before there were any
        description="the entries of the removal list whose hosts the part holds (stage find_removals)",
    )


NOT_YET = "?"  # begins the only entry of a part whose removals are not found yet; no host does


def regroup(config: RegroupConfig, inputs: Inputs, draft: Draft) -> None:
    """Documents keep the order of dumps and slices; a file that is full is followed by another."""
    from ccnet.block_list import BlockList
    from ccnet.decontaminate import Decontamination
    from ccnet.release import regroup as regroup_shards
    from ccnet.stats import language_statistics

    if any(entry.startswith(NOT_YET) for entry in config.removed):
        raise MissingArtifact(f"{draft.unit}: the removals of this part are not found yet: run find_removals first")
    language = first_part(draft.unit)
    part = int(draft.unit.rsplit("/", 1)[1].split("-")[0])
    name = f"{DOCUMENTS}/{language}.parquet"
    chosen = inputs.one("find_copies")
    slices = [m for m in inputs.of("filter_documents") if any(artifact.name == name for artifact in m.artifacts)]
    shards = [(inputs.path(found, name), inputs.path(chosen, stays_of(found.unit))) for found in slices]
    folder = draft.path("corpus")
    removed = BlockList.of(config.removed)
    max_file_bytes = int(config.max_file_mib * 2**20)
    indexes = inputs.of("index_benchmarks")
    decontamination = Decontamination(read_index(inputs), drop=config.decontaminate == "drop") if indexes else None
    draft.add(
        regroup_shards(
            shards, folder, part=part, max_file_bytes=max_file_bytes, removed=removed, decontamination=decontamination
        )
    )
    shared = tuple(manifest.key for manifest in (*inputs.of("summarize"), *indexes))
    mark = fingerprint(STAGE.name, STAGE.version, "", config.model_dump(mode="json", exclude={"removed"}), shared)
    parts = sorted(folder.rglob("*.parquet"))
    if not config.removed:
        for path in parts:
            place = path.relative_to(folder).as_posix()
            draft.publish_at(f"corpus/{place}", f"corpus/release={config.release}-{mark[:8]}/{place}")
    draft.write_json(STATISTICS, language_statistics(parts))


STAGE = Stage(
    name="regroup",
    version=2,
    config=RegroupConfig,
    body=regroup,
    needs={
        "find_copies": same_language,
        "filter_documents": slices_of_part,
        "summarize": all_units,
        "index_benchmarks": all_units,
    },
    optional=frozenset({"index_benchmarks"}),
    packages=("pyarrow",),
)
