"""The rules that a slice's robots.txt answers state, one row a host."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import same_unit
from pipeline.stage import Inputs, Stage, StageConfig

ROBOTS = "robots.parquet"


class ReadRobotsConfig(StageConfig):
    """Rules are kept for all crawlers: which of them count is chosen later."""


def read_robots(config: ReadRobotsConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.robots import read_robots as read

    files = inputs.paths(inputs.one("fetch_robots"))
    draft.add(read([files[name] for name in sorted(files)], draft.path(ROBOTS)))


STAGE = Stage(
    name="read_robots",
    version=1,
    config=ReadRobotsConfig,
    body=read_robots,
    needs={"fetch_robots": same_unit},
    packages=("ada-url", "pyarrow"),
)
