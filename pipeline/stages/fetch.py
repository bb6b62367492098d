"""Bring one slice of a crawl into the store: its WARC or WET files, each checked to its end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import BadInput, MissingArtifact, SourceUnavailable
from pipeline.stage import Inputs, Stage, StageConfig


class FetchChoices(StageConfig):
    kind: Literal["warc", "wet"] = Field(
        default="wet", description="Common Crawl's own text (wet, as CCNet and the paper) or its pages (warc)"
    )
    segments: int = Field(default=0, ge=0, description="files of the dump to read, from the first; 0: all")


class FetchConfig(FetchChoices):
    source: str = Field(description="base URL or folder of the crawl, in Common Crawl's layout")


def fetch(config: FetchConfig, inputs: Inputs, draft: Draft) -> None:
    if not bring(draft, config.source, config.kind, config.segments):
        raise MissingArtifact(f"{draft.unit}: the crawl has too few files for that many slices: lower `slices`")


def bring(draft: Draft, base: str, kind: str, segments: int) -> int:
    """Download the slice's files of a kind; returns how many there are.  A file that came whole is kept when a later
    one fails or the task is killed."""
    from ccnet.crawl import CrawlSlice, CrawlSource, PermanentCrawlError, TransientCrawlError, choose_paths

    crawl_slice = CrawlSlice.parse(draft.unit)
    source = CrawlSource(base)
    state = draft.state()
    try:
        paths = choose_paths(source.paths(crawl_slice.crawl, kind), crawl_slice, segments)
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
        draft.path(path).hardlink_to(state.folder / path)  # kept until the manifest stands
    return len(paths)


STAGE = Stage(name="fetch", version=2, config=FetchConfig, body=fetch, packages=("urllib3",))
