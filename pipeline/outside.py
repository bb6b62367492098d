"""A small file from outside the store, whole."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import BadInput, MissingArtifact, SourceUnavailable


def read_outside(source: str) -> bytes:
    """The bytes at a path, a file:// or s3:// URI, or an http or https URL.  Raises MissingArtifact, BadInput,
    SourceUnavailable."""
    scheme = urlsplit(source).scheme
    parent, _, name = source.rpartition("/")
    if scheme == "s3":
        from pipeline.store import open_store

        return open_store(parent).get(name)
    if scheme in ("http", "https"):
        return _read_web(parent, name)
    path = Path(unquote(urlsplit(source).path)) if scheme == "file" else Path(source)
    if not path.is_file():
        raise MissingArtifact(f"{source}: no such file: check the path in the deployment file")
    return path.read_bytes()


def _read_web(parent: str, name: str) -> bytes:
    from ccnet.crawl import CrawlSource, PermanentCrawlError, TransientCrawlError

    try:
        return CrawlSource(f"{parent}/").read(name)
    except PermanentCrawlError as error:
        raise BadInput(str(error)) from error
    except TransientCrawlError as error:
        raise SourceUnavailable(str(error)) from error
