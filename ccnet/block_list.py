"""Lists of hosts and URLs that are not wanted, as UT1 and hosts projects publish them.

A line is a host (with all below it), host:port, a path or an address; in a hosts file the host follows an IP address.
Hosts and paths are compared as the URL standard writes them (ada), so Unicode and xn-- are one host, and `ы` and
`%D1%8B` one path.  A path blocks what is below it; a query blocks that address alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote_to_bytes

from ada_url import URL

from ccnet.document import CorpusError

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
PLAIN_HOST = re.compile(
    r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.?"
)  # needs no parser; a last label of digits is an address
HOSTS_FILE = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|::1?|fe80::\S*|ff0[02]::\S*)[ \t]+(?=\S)")
PORT = re.compile(r"^(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#:]*):(\d+)")
COMMENT = re.compile(r"(?:^|[ \t])#.*")
ADBLOCK = re.compile(r"\|\|([^\^*$/|]+)\^")
STANDARD_PORTS = {"http:": 80, "https:": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """What is blocked on a host: everything on a port (None: on any), below a path, or one query."""

    port: int | None
    path: bytes
    query: bytes | None

    def covers(self, port: int, path: bytes, query: bytes) -> bool:
        if self.port not in (None, port):
            return False
        if self.query is not None:
            return path == self.path and (query == self.query or query.startswith(self.query + b"&"))
        below = self.path if self.path.endswith(b"/") else self.path + b"/"
        return path == self.path or path.startswith(below)


@dataclass(slots=True)
class BlockList:
    """Hosts that are blocked whole, and addresses by host."""

    hosts: set[str] = field(default_factory=set)
    addresses: dict[str, list[Address]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hosts or self.addresses)

    @classmethod
    def of(cls, lines: Iterable[str]) -> Self:
        """The list of these lines.  Raises ValueError."""
        found = cls()
        for line in lines:
            found.add(line)
        return found

    def add(self, line: str) -> None:
        """Take in one line.  Raises ValueError where it names no host."""
        for entry in entries_of(line):
            host, address = parse_entry(entry)
            if address is None:
                self.hosts.add(host)
            else:
                self.addresses.setdefault(host, []).append(address)

    def blocks(self, url: str) -> bool:
        """Whether an address is on the list; one that is none is not."""
        try:
            parts = URL(url)
        except ValueError:
            return False
        port = int(parts.port or STANDARD_PORTS.get(parts.protocol, 0))
        path, query = _path(parts), _query(parts)
        for host in with_parents(parts.hostname.removesuffix(".")):
            if host in self.hosts or any(found.covers(port, path, query) for found in self.addresses.get(host, ())):
                return True
        return False


def read_block_list(path: Path) -> BlockList:
    """The list in a file; empty where there is none.  Raises CorpusError naming file and line."""
    found = BlockList()
    for number, line in numbered_lines(path):
        with _named(path, number, line):
            found.add(line)
    return found


def read_entries(path: Path) -> Iterator[tuple[str, str]]:
    """Each entry of a file with its host, in order.  Raises CorpusError naming file and line."""
    for number, line in numbered_lines(path):
        with _named(path, number, line):
            found = [(entry, parse_entry(entry)[0]) for entry in entries_of(line)]
        yield from found


@contextmanager
def _named(path: Path, number: int, line: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise CorpusError(
            f"{path.name} line {number}: {line!r}: {error}: wanted a host, host:port, host/path or an address"
        ) from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that say something; none where there is no such file.  Raises CorpusError naming the line that
    is no UTF-8."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, data in enumerate(file, 1):
            try:
                line = data.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
            except UnicodeDecodeError as error:
                found = ascii(data.rstrip().decode("latin-1"))
                raise CorpusError(f"{path.name} line {number}: {found}: {error.reason}: wanted UTF-8") from error
            if line.strip() and not line.startswith("#"):
                yield number, line


def parse_entry(entry: str) -> tuple[str, Address | None]:
    """The host that an entry speaks of, and what it blocks there (None: all).  Raises ValueError."""
    if PLAIN_HOST.fullmatch(entry):
        return entry.removesuffix("."), None
    scheme = SCHEME.match(entry)
    url = URL(entry if scheme else f"http://{entry}")
    host = url.hostname.removesuffix(".")
    if not host:
        raise ValueError("no host")
    stated = PORT.match(entry[scheme.end() :] if scheme else entry)
    port = int(stated.group(1)) if stated else None
    path, query = _path(url), _query(url)
    if port is None and path == b"/" and not query:
        return host, None
    return host, Address(port, path, query or None)


def entries_of(line: str) -> Iterable[str]:
    """The hosts or addresses of a line, without its comment.  Raises ValueError where it has other words."""
    line = COMMENT.sub("", line).strip()
    if address := HOSTS_FILE.match(line):
        return [host.lower() for host in line[address.end() :].split()]
    if found := ADBLOCK.fullmatch(line):
        line = found.group(1)
    if any(character.isspace() for character in line):
        raise ValueError("several words")
    line = line.removeprefix("*.").removeprefix(".")
    return [line.lower() if "/" not in line else line] if line else []


def _path(url: URL) -> bytes:
    return unquote_to_bytes(url.pathname) or b"/"


def _query(url: URL) -> bytes:
    return unquote_to_bytes(url.search.removeprefix("?"))


def host_of(url: str) -> str:
    """The host as the URL standard writes it, without the port; "" where the address is none."""
    try:
        return str(URL(url).hostname).removesuffix(".")
    except ValueError:
        return ""


def with_parents(host: str) -> Iterator[str]:
    """A host, then the domains that it lies in: a.b.example, b.example, example."""
    yield host
    if host[-1:].isdigit() or host.startswith("["):
        return  # an IP address has none
    while "." in host:
        host = host.partition(".")[2]
        yield host
