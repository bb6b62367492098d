"""Which dumps Common Crawl has: its collinfo.json, kept in the store, read from a local copy.

Parsing a DAG reads the local copy alone.  Most ids name a year and a week (CC-MAIN-2019-35); those of 2008 to 2012
name years, and a dump of theirs is dated the first of January of the first one.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipeline.errors import BadInput, SourceUnavailable
from pipeline.shared_settings import CRAWL_PATTERN

if TYPE_CHECKING:
    from pipeline.deployment import Deployment
    from pipeline.store import ArtifactStore

KEY = "crawl_list/collinfo.json"
SHIPPED = Path(__file__).with_name("crawls.json")
YEAR_AND_WEEK = re.compile(r"^CC-MAIN-(\d{4})-(\d{2})$")


@dataclass(frozen=True, order=True)
class Crawl:
    """One dump; `starts` is the Monday of its week, UTC."""

    starts: datetime
    id: str
    name: str


def read_crawl_list(path: str | Path = "") -> tuple[Crawl, ...]:
    """The dumps of a local copy, oldest first; of the shipped list where the copy is not there (yet)."""
    copy = Path(path) if path else SHIPPED
    return parse_crawl_list((copy if copy.is_file() else SHIPPED).read_bytes(), str(copy))


def parse_crawl_list(data: bytes, where: str) -> tuple[Crawl, ...]:
    """collinfo.json: an array of objects with `id` and `name`.  Raises BadInput."""
    try:
        rows = [(str(row["id"]), str(row.get("name", row["id"]))) for row in json.loads(data)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{where}: wanted Common Crawl's collinfo.json, an array of objects with an id ({error!r})"
        ) from error
    crawls = sorted({Crawl(starts_of(id_), id_, name) for id_, name in rows if re.match(CRAWL_PATTERN, id_)})
    if not crawls:
        raise BadInput(f"{where}: has no dump such as CC-MAIN-2019-35")
    return tuple(crawls)


def starts_of(crawl: str) -> datetime:
    """When a dump's week (or first year) begins, UTC.  Raises ValueError for a week that a year does not have."""
    found = YEAR_AND_WEEK.match(crawl)
    if found and 1 <= int(found[2]) <= 53:
        day = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    else:
        day = date(int(crawl.split("-")[2]), 1, 1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def update_crawl_list(deployment: Deployment, store: ArtifactStore, copy: Path | None = None) -> tuple[Crawl, ...]:
    """Read the list from its source, keep it in the store and in the local copy.  Raises FactoryError."""
    data = _read(deployment.collection_info)
    crawls = parse_crawl_list(data, deployment.collection_info)
    store.put(KEY, data)
    target = copy or (Path(deployment.crawl_list) if deployment.crawl_list else None)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        aside.write_bytes(data)
        os.replace(aside, target)
    return crawls


def _read(source: str) -> bytes:
    from ccnet.crawl import CrawlSource, PermanentCrawlError, TransientCrawlError

    parts = urlsplit(source)
    try:
        if parts.scheme in ("", "file"):
            return _read_file(Path(unquote(parts.path)))
        base, _, name = source.rpartition("/")
        return CrawlSource(f"{base}/", max_idle_s=120).read(name)
    except TransientCrawlError as error:
        raise SourceUnavailable(str(error)) from error
    except PermanentCrawlError as error:
        raise BadInput(str(error)) from error


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: wanted Common Crawl's collinfo.json") from error
