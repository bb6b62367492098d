"""Bring files from outside into the store: the language identifier, reference text, benchmark data."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pipeline.draft import Draft
from pipeline.errors import BadInput, MissingArtifact, SourceUnavailable
from pipeline.source_digest import digest_of, files_of
from pipeline.stage import Inputs, Stage, StageConfig


class IngestConfig(StageConfig):
    source: str = Field(description="a file or a folder: path, file:// or s3:// URI, http or https URL")
    names: tuple[str, ...] = Field(
        default=(), description="files of a folder on the web, which has no listing; those that are not there are left"
    )
    sha256: str = Field(default="", description="digest that the source must have (of a folder: of its listing)")


def ingest(config: IngestConfig, inputs: Inputs, draft: Draft) -> None:
    """Copy a file, or a folder's files, and check the digest.  Raises MissingArtifact, BadInput, SourceUnavailable."""
    source = _local(config, draft)
    files = files_of(source)
    if not files:
        raise MissingArtifact(f"{config.source}: no such file or folder, or an empty one: check the path")
    if config.sha256 and digest_of(source) != config.sha256:
        raise BadInput(f"{config.source}: digest {digest_of(source)[:12]}…, {config.sha256[:12]}… was announced")
    for name, path in files.items():
        shutil.copyfile(path, draft.path(name))
    draft.add({"files": len(files), "bytes": sum(path.stat().st_size for path in files.values())})


def _local(config: IngestConfig, draft: Draft) -> Path:
    parts = urlsplit(config.source)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "s3":
        return _download(config.source, draft.scratch("source"))
    if parts.scheme in ("http", "https"):
        return _from_the_web(config, draft)
    return Path(config.source)


def _from_the_web(config: IngestConfig, draft: Draft) -> Path:
    """One file, or the files of a folder that are there; what came whole outlives a kill."""
    from ccnet.crawl import PERMANENT, CrawlSource, PermanentCrawlError, TransientCrawlError

    state = draft.state()
    folder, _, file = config.source.rpartition("/")
    base = config.source if config.names else folder
    # A bucket that may not be listed answers 403 for a name that it does not have.
    source = CrawlSource(base.rstrip("/") + "/", permanent=PERMANENT | {403})
    for done, name in enumerate(config.names or (file,)):
        try:
            if not (state.folder / name).exists():
                source.fetch(name, state.folder / name)
                state.keep()
        except PermanentCrawlError as error:
            if not config.names:
                raise BadInput(str(error)) from error
        except TransientCrawlError as error:
            raise SourceUnavailable(str(error)) from error
        draft.progress(done + 1, len(config.names) or 1, "files")
    return state.folder if config.names else state.folder / file


def _download(source: str, scratch: Path) -> Path:
    from pipeline.store import open_store

    parent, _, name = source.rstrip("/").rpartition("/")
    store = open_store(parent)
    for key in store.list(name):
        if key == name or key.startswith(f"{name}/"):
            target = scratch / key
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(store.local(key), target)
    return scratch / name


STAGE = Stage(name="ingest", version=2, config=IngestConfig, body=ingest)
