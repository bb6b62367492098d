"""In which order dumps came into a series, for dedup=global: what an earlier dump has, a later one loses.

The order is that of arrival, whatever the dumps' ids: a dump takes the next free number when its hashes are there, and
keeps it for good, so nothing that was published changes when another dump is added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.errors import CorruptArtifact
from pipeline.manifest import parse_key
from pipeline.needs import first_part
from pipeline.store import ArtifactStore

FOLDER = "dump_order"


def take_place(store: ArtifactStore, series: str, hashes: str) -> None:
    """Give the dump with these hashes (a manifest's key of gather_hashes) its number, unless it has one."""
    while hashes not in (taken := list(_entries(store, series))):
        if store.put_if_absent(_place(series, len(taken)), json.dumps({"hashes": hashes}).encode() + b"\n"):
            return


def earlier(store: ArtifactStore, series: str, hashes: str) -> tuple[str, ...]:
    """The keys of the hashes of all dumps that came before; of a dump made twice, its last ones."""
    taken = list(_entries(store, series))
    if hashes not in taken:
        return ()
    own = _crawl(hashes)
    last = {_crawl(key): key for key in taken[: taken.index(hashes)]}
    return tuple(key for crawl, key in last.items() if crawl != own)


def _entries(store: ArtifactStore, series: str) -> Iterator[str]:
    for key in store.list(f"{FOLDER}/{series}/"):
        try:
            yield str(json.loads(store.get(key))["hashes"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptArtifact(f"{store.uri(key)}: no entry of a dump order ({error})") from error


def _place(series: str, number: int) -> str:
    return f"{FOLDER}/{series}/{number:05d}.json"


def _crawl(hashes: str) -> str:
    return first_part(parse_key(hashes)[1])
