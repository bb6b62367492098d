"""Bring one slice of a crawl into the store: its WARC or WET files, each checked to its end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import BadInput, MissingArtifact, SourceUnavailable
from pipeline.stage import Inputs, Stage, StageConfig


class FetchConfig(StageConfig):
    source: str = Field(description="base URL or folder of the crawl, in Common Crawl's layout")
    kind: Literal["warc", "wet"] = Field(default="warc", description="pages or Common Crawl's own text")
    max_files: int = Field(default=0, ge=0, description="files of the whole dump to read, from the first; 0: all")


def fetch(config: FetchConfig, inputs: Inputs, draft: Draft) -> None:
    """Download the slice's files.  A file that came whole is kept when a later one fails or the task is killed."""
    from ccnet.crawl import CrawlSlice, CrawlSource, PermanentCrawlError, TransientCrawlError, choose_paths

    crawl_slice = CrawlSlice.parse(draft.unit)
    source = CrawlSource(config.source)
    state = draft.state()
    try:
        paths = choose_paths(source.paths(crawl_slice.crawl, config.kind), crawl_slice, config.max_files)
        if not paths:
            raise MissingArtifact(f"{draft.unit}: the crawl has too few files for that many slices: lower --slices")
        for done, path in enumerate(paths):
            kept = state.folder / path
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                source.fetch(path, kept)
                state.keep()
            draft.progress(done + 1, len(paths), "files")
            draft.add({"files": 1, "bytes": kept.stat().st_size})
    except TransientCrawlError as error:
        raise SourceUnavailable(f"{draft.unit}: {error}") from error
    except PermanentCrawlError as error:
        raise BadInput(f"{draft.unit}: {error}") from error
    for path in paths:
        (state.folder / path).replace(draft.path(path))


STAGE = Stage(name="fetch", version=1, config=FetchConfig, body=fetch, packages=("urllib3",))
