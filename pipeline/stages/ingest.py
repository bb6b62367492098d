"""Bring files from outside into the store: identifier, reference text, language models, filters, benchmark data."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pipeline import hub, official_files
from pipeline.draft import Draft
from pipeline.errors import BadInput, MissingArtifact, SourceUnavailable
from pipeline.source_digest import digest_of, digest_of_listing, files_of
from pipeline.stage import Inputs, Stage, StageConfig


class IngestConfig(StageConfig):
    source: str = Field(
        description="a file or a folder: path, file:// or s3:// URI, http or https URL, hf://OWNER/NAME[@REVISION], "
        "official:BENCHMARK@LIST (the files that its authors publish)"
    )
    names: tuple[str, ...] = Field(
        default=(), description="files of the folder to take; those that are not there are left"
    )
    optional: bool = Field(default=False, description="nothing there is no error (a language without reference text)")
    sha256: str = Field(default="", description="digest that the source must have (of a folder: of its listing)")
    mirror: str = Field(
        default="",
        exclude=True,  # digests say which bytes come, wherever they come from: no part of the fingerprint
        description="base URL of a mirror of official files",
    )


def ingest(config: IngestConfig, inputs: Inputs, draft: Draft) -> None:
    """Copy a file, or a folder's files, and check the digest.  Raises MissingArtifact, BadInput, SourceUnavailable."""
    source = _local(config, draft)
    if config.optional and not source.exists():
        raise MissingArtifact(f"{config.source}: no such folder: check the path in the deployment file")
    files = files_of(source, config.names)
    if not files and not config.optional:
        raise MissingArtifact(f"{config.source}: no such file or folder, or an empty one: check the path")
    if config.sha256 and (found := _digest(source, files)) != config.sha256:
        raise BadInput(f"{config.source}: digest {found[:12]}…, {config.sha256[:12]}… was announced")
    for name, path in files.items():
        if path != (place := draft.path(name)):
            shutil.copyfile(path, place)
    draft.add({"files": len(files), "bytes": sum(path.stat().st_size for path in files.values())})


def _digest(source: Path, files: Mapping[str, Path]) -> str:
    return digest_of(source) if source.is_file() else digest_of_listing(files)


def _local(config: IngestConfig, draft: Draft) -> Path:
    parts = urlsplit(config.source)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if config.source.startswith(official_files.SCHEME):
        return _official(config, draft)
    if parts.scheme == "s3":
        return _download(config, draft.scratch("source"))
    if parts.scheme == "hf":
        return _from_the_hub(config, draft)
    if parts.scheme in ("http", "https"):
        return _from_the_web(config, draft)
    return Path(config.source)


def _from_the_hub(config: IngestConfig, draft: Draft) -> Path:
    """What came whole outlives a kill."""
    state = draft.state()
    names = config.names or hub.encoder_files(config.source)
    for done, name in enumerate(names):
        hub.download(config.source, (name,), state.folder)
        state.keep()
        draft.progress(done + 1, len(names), "files")
    return state.folder


def _official(config: IngestConfig, draft: Draft) -> Path:
    """The artifacts' own folder, with the files in it; downloads that came whole outlive a kill."""
    benchmark = official_files.named_in(config.source)
    state = draft.state()
    data = draft.path(benchmark).parent
    official_files.bring(benchmark, state.folder, data, mirror=config.mirror, keep=state.keep, progress=draft.progress)
    return data


def _from_the_web(config: IngestConfig, draft: Draft) -> Path:
    """One file, or the files of a folder that are there; what came whole outlives a kill."""
    from ccnet.crawl import PERMANENT, CrawlSource, PermanentCrawlError, TransientCrawlError, WrongFileError

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
        except WrongFileError as error:
            raise BadInput(str(error)) from error
        except PermanentCrawlError as error:
            if not config.names:
                raise BadInput(str(error)) from error
        except TransientCrawlError as error:
            raise SourceUnavailable(str(error)) from error
        draft.progress(done + 1, len(config.names) or 1, "files")
    return state.folder if config.names else state.folder / file


def _download(config: IngestConfig, scratch: Path) -> Path:
    from pipeline.store import open_store

    parent, _, name = config.source.rstrip("/").rpartition("/")
    store = open_store(parent)
    for key in store.list(name):
        inside = key.removeprefix(f"{name}/")
        if key == name or (inside != key and (not config.names or inside in config.names)):
            target = scratch / key
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(store.local(key), target)
    if config.optional:
        (scratch / name).mkdir(parents=True, exist_ok=True)
    return scratch / name


STAGE = Stage(name="ingest", version=3, config=IngestConfig, body=ingest, shared=True)
