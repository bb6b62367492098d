"""What the hosts of a dump allow crawlers by robots.txt (RFC 9309): a table of a dump, and a look-up by address.

Common Crawl publishes the robots.txt answers of each dump as `robotstxt` WARC files.  A row of the table is one host
(with its port where that is no standard one; http and https are one):

* 2xx: its rules.  Of several answers the latest counts.
* 3xx: the rules are those of the address that it names, over at most MAX_REDIRECTS of them.
* 4xx, a redirect that leads nowhere, a host without an answer in the dump: everything is allowed.
* 5xx, or no HTTP status: everything is disallowed, unless the dump has another answer of the host.

Rules are matched by protego.  Where it raises for a host's rules, these count as none.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import ceil
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ada_url import URL
from numpy.typing import NDArray
from protego import Protego

from ccnet.http_message import HttpResponse, parse_response
from ccnet.shards import open_writer
from ccnet.warc import Fault, Record, read_records

MAX_RULES_BYTES = 500 << 10  # RFC 9309 section 2.5: what is beyond need not be read
MAX_REDIRECTS = 5  # RFC 9309 section 2.3.1.2
MAX_PAIRS = 1_000_000  # of agents and rules in one file: each agent gets each rule of its group
ROWS_AT_A_TIME = 1_000_000  # while tables are merged
ROW_GROUP = 65_536
SLICE_ROW_GROUP = 4_096  # small: a pass of the merge reads few rows of each slice
PARSED = 4_096  # rule texts whose parsed form is kept: many hosts have the same
DISALLOW_ALL = "User-agent: *\nDisallow: /\n"
DISALLOWS = re.compile(r"^[ \t]*di", re.IGNORECASE | re.MULTILINE)  # protego also reads misspelt ones
LINE_WITHOUT_RULE = re.compile(r"^[ \t]*(?:#.*|site-?maps?[ \t]*:.*)?$", re.IGNORECASE)
AGENT_LINE = re.compile(r"^[ \t]*user", re.IGNORECASE | re.MULTILINE)
# key: 64 bits of the address without its scheme.  see: the key whose rules count instead, 0 for none.
TABLE = pa.schema([("key", pa.uint64()), ("reachable", pa.bool_()), ("date", pa.string()), ("see", pa.uint64()),
                   ("rules", pa.string())])  # fmt: skip
KEPT = ("key", "see", "rules")

Keys = NDArray[np.uint64]
Row = tuple[int, bool, str, int, str]


def read_robots(files: Sequence[Path], output: Path) -> Counter[str]:
    """Write the table of some `robotstxt` files, sorted by key; counts of answers by class, of what was not read."""
    counts: Counter[str] = Counter()
    tables = [_table([row for found in read_records(path) for row in _rows(found, counts)]) for path in files]
    with open_writer(output, TABLE) as writer:
        writer.write_table(_latest(pa.concat_tables([TABLE.empty_table(), *tables])), SLICE_ROW_GROUP)
    return counts


def _table(rows: Sequence[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(TABLE)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, TABLE, strict=True)]
    return pa.Table.from_arrays(arrays, schema=TABLE)


def gather_robots(tables: Sequence[Path], output: Path) -> Counter[str]:
    """Merge tables into that of a dump: one row a host, none where all is allowed."""
    counts: Counter[str] = Counter()
    passes = ceil(sum(pq.read_metadata(path).num_rows for path in tables) / ROWS_AT_A_TIME) or 1
    bounds = [(1 << 64) * index // passes for index in range(passes + 1)]
    schema = pa.schema([TABLE.field(name) for name in KEPT])
    with open_writer(output, schema) as writer:
        for low, high in pairwise(bounds):
            inside = (pc.field("key") >= pa.scalar(low, pa.uint64())) & (
                pc.field("key") <= pa.scalar(high - 1, pa.uint64())
            )
            found = _latest(pa.concat_tables([pq.read_table(path, filters=inside) for path in tables]))
            ruled = pc.or_(pc.not_equal(found["rules"], ""), pc.not_equal(found["see"], pa.scalar(0, pa.uint64())))
            kept = found.filter(ruled).select(KEPT)
            writer.write_table(kept, ROW_GROUP)
            counts.update(hosts=found.num_rows, hosts_with_rules=kept.num_rows)
    return counts


class RobotsRules:
    """Whether some crawlers may fetch an address, by the table of its dump."""

    def __init__(self, table: Path, agents: Sequence[str], urls: Iterable[str]) -> None:
        """Reads the rows of the hosts of `urls`, and no other, whatever the table's size."""
        self.agents = tuple(agents)
        self.broken: set[int] = set()  # keys of hosts whose rules protego could not read
        self._rules, self._see = _rows_of(table, np.array(sorted(set(map(robots_key, urls)) - {0}), np.uint64))

    def allows(self, url: str) -> bool:
        """Whether all of the agents may fetch it; an address without a host is no matter of robots.txt."""
        key = robots_key(url)
        rules = self._rules.get(self._follow(key), "")
        if not rules:
            return True
        try:
            parsed = _parsed(rules)
            return all(parsed.can_fetch(url, agent) for agent in self.agents)
        except Exception:  # whatever the library raises costs this host's rules
            self.broken.add(key)
            return True

    def _follow(self, key: int) -> int:
        for _ in range(MAX_REDIRECTS):
            if key not in self._see:
                break
            key = self._see[key]
        return key


def robots_key(url: str) -> int:
    """The key of the robots.txt that an address is under; 0 where it has no host."""
    try:
        host = URL(url).host
    except ValueError:
        return 0
    return _key(f"{host}/robots.txt") if host else 0


def _rows(found: Record | Fault, counts: Counter[str]) -> Iterator[Row]:
    """The row of a record, where it is an answer for a robots.txt."""
    if isinstance(found, Fault):
        counts[f"faults_{found.reason}"] += 1
        return
    if found.type != "response":
        return
    counts["answers"] += 1
    try:
        place = URL(found.headers["warc-target-uri"].strip("<>"))
        key, date = _key(f"{place.host}{place.pathname}{place.search}"), found.headers.get("warc-date", "")
        response = parse_response(found.content)
        kind = response.status // 100 if response else 0
        counts[f"answers_{kind}xx" if response else "answers_not_http"] += 1
        if response is None or kind not in (2, 3, 4):
            yield key, False, date, 0, DISALLOW_ALL
        elif kind == 2:
            yield key, True, date, 0, _rules_of(response)
        else:
            target = response.headers.get("location", "") if kind == 3 else ""
            see = _redirected(place.href, target)
            if see != key:  # from http to https: the other answer says it
                yield key, True, date, see, ""
    except Exception:  # whatever a library raises for an answer costs that answer
        counts["answers_broken"] += 1


def _redirected(base: str, target: str) -> int:
    if not target:
        return 0
    place = URL(urljoin(base, target))
    return _key(f"{place.host}{place.pathname}{place.search}")


def _rules_of(response: HttpResponse) -> str:
    """The lines of a robots.txt that can matter; "" where none disallows anything.  Raises ValueError."""
    body = response.body()
    if body is None:
        raise ValueError("the body cannot be decoded")
    whole = len(body) <= MAX_RULES_BYTES
    text = body[:MAX_RULES_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.splitlines()
    if not whole:
        del lines[-1:]  # half a rule would be another rule
    rules = "".join(f"{line.strip()}\n" for line in lines if not LINE_WITHOUT_RULE.match(line))
    if not DISALLOWS.search(rules):
        return ""
    agents = len(AGENT_LINE.findall(rules))
    if agents * (rules.count("\n") - agents) > MAX_PAIRS:
        raise ValueError("too many agents and rules")
    return rules


def _latest(table: pa.Table) -> pa.Table:
    """Sorted by key, of each the latest answer, of those that could be reached if there are any."""
    order = [("key", "ascending"), ("reachable", "descending"), ("date", "descending"), ("rules", "ascending"),
             ("see", "ascending")]  # fmt: skip
    found = table.sort_by(order)
    keys = found["key"].to_numpy()
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return found.filter(pa.array(first))


def _rows_of(table: Path, wanted: Keys) -> tuple[dict[int, str], dict[int, int]]:
    """Rules and redirects of the keys, and of those that they lead to."""
    rules: dict[int, str] = {}
    texts: dict[str, str] = {}  # many hosts have the same
    see: dict[int, int] = {}
    for _ in range(MAX_REDIRECTS + 1):
        if not len(wanted):
            break
        following: set[int] = set()
        with pq.ParquetFile(table, read_dictionary=["rules"]) as file:
            for batch in file.iter_batches(ROW_GROUP):
                inside = np.isin(batch.column("key").to_numpy(), wanted, assume_unique=True)
                for key, other, text in zip(*_columns(batch.filter(pa.array(inside))), strict=True):
                    if other:
                        see[key] = other
                        following.add(other)
                    else:
                        rules[key] = texts.setdefault(text, text)
        wanted = np.array(sorted(following - rules.keys() - see.keys()), np.uint64)
    return rules, see


def _columns(batch: pa.RecordBatch) -> tuple[list[int], list[int], list[str]]:
    return batch.column("key").to_pylist(), batch.column("see").to_pylist(), batch.column("rules").to_pylist()


def _key(address: str) -> int:
    return int.from_bytes(hashlib.blake2b(address.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(PARSED)
def _parsed(rules: str) -> Protego:
    return Protego.parse(rules)
