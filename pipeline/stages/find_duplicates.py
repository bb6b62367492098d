"""Which paragraphs each slice of a dump must lose, in bounded memory, from one range of the hashes alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.hash_paragraphs import hashes_of


class FindDuplicatesConfig(StageConfig):
    scope: Literal["dump", "global"] = Field(
        default="dump",
        description="dump: CCNet's rule, all copies in two or more documents of the dump go; global: the first copy "
        "in all dumps stays, in the order of the dumps' ids, slices, documents",
    )
    memory_gib: float = Field(default=2.0, gt=0, exclude=True, description="bound of this step; changes no byte")


def find_duplicates(config: FindDuplicatesConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.duplicates import find_duplicates as find

    hashed = inputs.of("hash_paragraphs")
    crawl, name = draft.unit.split("/")
    index, ranges = map(int, name.removeprefix("range-").split("-of-"))
    own = [manifest.unit for manifest in hashed if manifest.unit.split("/")[0] == crawl]
    outputs = [draft.path(losses_of(unit)) for unit in own]
    draft.add(
        find(
            [inputs.path(manifest, hashes_of(index)) for manifest in hashed],
            outputs,
            keep_first=config.scope == "global",
            memory_bytes=int(config.memory_gib * 2**30),
            part=(index, ranges),
        )
    )


def losses_of(unit: str) -> str:
    """The artifact for one slice, CC-MAIN-2019-35/00000-of-00002."""
    return f"{unit.rsplit('/', 1)[1]}.duplicates"


STAGE = Stage(
    name="find_duplicates",
    version=2,
    config=FindDuplicatesConfig,
    body=find_duplicates,
    needs={"hash_paragraphs": lambda config: Match.DUMPS_SO_FAR if config.scope == "global" else Match.SAME_CRAWL},
    packages=("numpy",),
)
