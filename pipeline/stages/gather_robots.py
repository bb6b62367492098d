"""The robots.txt rules of a dump in one table: of each host its latest answer."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import same_crawl
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.read_robots import ROBOTS


class GatherRobotsConfig(StageConfig):
    """Hosts that allow everything have no row."""


def gather_robots(config: GatherRobotsConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.robots import gather_robots as gather

    draft.add(gather([inputs.path(found, ROBOTS) for found in inputs.of("read_robots")], draft.path(ROBOTS)))


STAGE = Stage(
    name="gather_robots",
    version=1,
    config=GatherRobotsConfig,
    body=gather_robots,
    needs={"read_robots": same_crawl},
    packages=("pyarrow",),
    shared=True,
)
