"""Bring one slice of a crawl's `robotstxt` files into the store: the robots.txt answers that its crawler got."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.fetch import bring


class FetchRobotsConfig(StageConfig):
    source: str = Field(description="base URL or folder of the crawl, in Common Crawl's layout")
    segments: int = Field(default=0, ge=0, description="files of the dump to read, from the first; 0: all")


def fetch_robots(config: FetchRobotsConfig, inputs: Inputs, draft: Draft) -> None:
    """A crawl may have fewer of these files than slices: then some slices have none."""
    bring(draft, config.source, "robotstxt", config.segments)


STAGE = Stage(name="fetch_robots", version=1, config=FetchRobotsConfig, body=fetch_robots, packages=("urllib3",))
