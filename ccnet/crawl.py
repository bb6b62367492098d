"""Where a dump's files are listed, how they are cut into slices, and how one is fetched politely and whole.

Common Crawl asks for an own user agent, retries no faster than one a second, and patience with 503.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import shutil
import ssl
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ccnet.archive_check import find_fault

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

log = logging.getLogger(__name__)

USER_AGENT = "xlmr-factory/0.1 (open XLM-R corpus builder)"
CHUNK_BYTES = 1 << 20
WRONG_FILE_TRIES = 3  # of a file that came and is not what was asked for
RETRY_S = 1.0  # no faster than one a second
QUICK_RETRIES = 4  # then each wait is twice the last one
MAX_RETRY_S = 60.0
MAX_RETRY_AFTER_S = 300.0
TELL_S = 30.0  # a wait is told at least this often
PERMANENT = frozenset({400, 401, 404, 405, 410, 416})


class TransientCrawlError(OSError):
    """The server gave up for now: ask again later."""


class PermanentCrawlError(ValueError):
    """Not there, or not what it should be: asking again does not help."""


class WrongFileError(PermanentCrawlError):
    """Something came under the name, every time, and is not what the name says: an error page, half a file."""


@dataclass(frozen=True, slots=True)
class CrawlSlice:
    """A fixed group of one dump's files (CCNet's shard)."""

    crawl: str
    index: int
    count: int

    @property
    def name(self) -> str:
        return f"{self.crawl}/{self.index:05d}-of-{self.count:05d}"

    @classmethod
    def parse(cls, name: str) -> CrawlSlice:
        """The slice of a name such as CC-MAIN-2019-35/00000-of-00002.  Raises PermanentCrawlError."""
        crawl, _, part = name.partition("/")
        index, _, count = part.partition("-of-")
        if not (crawl and index.isdigit() and count.isdigit() and int(index) < int(count)):
            raise PermanentCrawlError(f"{name!r} is no slice: wanted CRAWL/INDEX-of-COUNT")
        return cls(crawl, int(index), int(count))


def choose_paths(paths: Sequence[str], piece: CrawlSlice, max_files: int = 0) -> list[str]:
    """The slice's share of a dump's file list, contiguous as in CCNet; `max_files` cuts the dump first (0: all)."""
    taken = paths[:max_files] if max_files else paths
    start, end = (len(taken) * i // piece.count for i in (piece.index, piece.index + 1))
    return list(taken[start:end])


def crawl_of(path: str) -> str:
    """CC-MAIN-2019-35 of crawl-data/CC-MAIN-2019-35/segments/…; "" of any other path."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "crawl-data" else ""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that came whole."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass
class CrawlSource:
    """A crawl in Common Crawl's layout under an https, http or file base (or a plain folder).

    A fetch gives up after `max_idle_s` seconds in which nothing came; every byte that came is kept meanwhile.  A
    server that never answered at all (unknown host, refused connection, wrong certificate) is given up after
    `max_unreachable_s`: rather a wrong address than a busy server.
    """

    base: str
    max_idle_s: float = 4 * 3600.0
    max_unreachable_s: float = 25.0
    connect_timeout_s: float = 8.0
    read_timeout_s: float = 25.0
    permanent: frozenset[int] = PERMANENT  # statuses that asking again does not change
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _pool: PoolManager | None = field(default=None, init=False)
    _answered: bool = field(default=False, init=False)

    def paths(self, crawl: str, kind: str) -> list[str]:
        """The dump's list of `warc` or `wet` files.  Raises PermanentCrawlError for an unknown dump."""
        name = f"crawl-data/{crawl}/{kind}.paths.gz"
        data = self.read(name)
        try:
            lines = gzip.decompress(data).decode().split()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise PermanentCrawlError(f"{self.base}{name}: {error}: wanted a gzip list of files") from error
        if not lines:
            raise PermanentCrawlError(f"{self.base}{name}: the list is empty")
        return lines

    def fetch(self, path: str, destination: Path) -> FetchedFile:
        """Bring one file to `destination`, which appears only when it is whole and what its name says.

        A server's file that is not is asked for again, WRONG_FILE_TRIES in all, then refused (WrongFileError).
        """
        aside = destination.with_name(f".{destination.name}.part")
        for tries in range(1, WRONG_FILE_TRIES + 1):
            self._bring(path, aside)
            fault = find_fault(aside, path)
            if not fault:
                break
            aside.unlink()
            if self._folder is not None or tries == WRONG_FILE_TRIES:
                raise WrongFileError(
                    f"{self.base.rstrip('/')}/{path}: {fault}: wanted a whole file: check the crawl's base"
                )
            log.info("%s: %s; again in %.0f s", path, fault, tries * RETRY_S)
            self.sleep(tries * RETRY_S)
        with aside.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = aside.stat().st_size
        os.replace(aside, destination)
        return FetchedFile(destination, size, digest)

    def _bring(self, path: str, aside: Path) -> None:
        if self._folder is not None:
            source = self._folder / path
            if not source.is_file():
                raise PermanentCrawlError(f"{source}: no such file")
            shutil.copyfile(source, aside)
            return
        try:
            self._download(path, aside)
        except PermanentCrawlError:
            aside.unlink()
            raise

    @property
    def _folder(self) -> Path | None:
        parts = urlsplit(self.base)
        if parts.scheme == "file":
            return Path(unquote(parts.path))
        return None if parts.scheme in ("http", "https") else Path(self.base)

    def read(self, name: str) -> bytes:
        """A small file whole, e.g. a listing."""
        if self._folder is not None:
            path = self._folder / name
            if not path.is_file():
                raise PermanentCrawlError(f"{path}: no such file: is that crawl under {self.base}?")
            return path.read_bytes()
        parts: list[bytes] = []
        self._persist(name, lambda start: self._stream(name, start, parts.append), lambda: sum(map(len, parts)))
        return b"".join(parts)

    def _download(self, path: str, aside: Path) -> None:
        with aside.open("ab") as file:

            def write(data: bytes) -> None:
                file.write(data)
                file.flush()

            self._persist(path, lambda start: self._stream(path, start, write), file.tell)

    def _persist(self, name: str, attempt: Callable[[int], None], received: Callable[[], int]) -> None:
        """Try until whole; each try goes on where the last one broke off.  Raises TransientCrawlError."""
        last = told = self.clock()
        failures = 0
        while True:
            before, began = received(), self.clock()
            try:
                return attempt(before)
            except _TryAgain as again:
                now = self.clock()
                failures = 1 if received() > before else failures + 1
                last = now if received() > before else last
                unreachable = again.is_unreachable and not self._answered
                if now - last > (self.max_unreachable_s if unreachable else self.max_idle_s):
                    raise TransientCrawlError(
                        f"{self.base}{name}: {again} for {now - last:.0f} s: {again.advice or 'try again later'}"
                    ) from again
                wait = max(again.after_s, min(RETRY_S * 2 ** max(0, failures - QUICK_RETRIES), MAX_RETRY_S))
                if unreachable and failures == 1:
                    told = -TELL_S  # at once: it is given up soon
                told = self._wait(f"{self.base}{name}: {again}", wait, last, told, now - began)

    def _wait(self, what: str, wait_s: float, since: float, told: float, attempt_s: float) -> float:
        """Sleep; a warning every 30 s says what is waited for.  Returns when it was told last."""
        until = self.clock() + wait_s
        while (left := until - (now := self.clock())) > 0:
            due = now + min(left, TELL_S) + attempt_s - told > TELL_S  # before one can tell it again
            level = logging.WARNING if due else logging.INFO
            log.log(level, "%s, for %.0f s now; again in %.0f s", what, now - since, left)
            told = now if due else told
            self.sleep(min(left, TELL_S))
        return told

    def _stream(self, path: str, start: int, write: Callable[[bytes], object]) -> None:
        """One request for the bytes from `start` on.  Raises _TryAgain with the reason."""
        import urllib3
        from urllib3.exceptions import HTTPError

        url = self.base.rstrip("/") + "/" + path
        headers = {"User-Agent": USER_AGENT} | ({"Range": f"bytes={start}-"} if start else {})
        if self._pool is None:
            limits = urllib3.Timeout(connect=self.connect_timeout_s, read=self.read_timeout_s)
            self._pool = urllib3.PoolManager(timeout=limits)
        try:
            reply = self._pool.request("GET", url, headers=headers, preload_content=False, retries=False, redirect=True)
            self._answered = True
            try:
                self._take(url, reply, start, write)
            finally:
                reply.release_conn()
        except HTTPError as error:
            raise _of_connection(url, error) from error

    def _take(self, url: str, reply: BaseHTTPResponse, start: int, write: Callable[[bytes], object]) -> None:
        if reply.status == 416 and start:
            return  # nothing is left after what came
        if reply.status in self.permanent:
            raise PermanentCrawlError(f"{url}: the server answers {reply.status}: check the crawl's name and the base")
        if 300 <= reply.status < 400:
            place = reply.headers.get("Location", "nowhere")
            raise PermanentCrawlError(f"{url}: the server redirects to {place}: use that as the base")
        if reply.status not in (200, 206):
            raise _TryAgain(f"the server answers {reply.status}", _retry_after(reply.headers.get("Retry-After", "")))
        skip = start if reply.status == 200 else 0  # a server without ranges begins anew
        length = reply.headers.get("Content-Length")
        came = 0
        for data in reply.stream(CHUNK_BYTES, decode_content=False):
            came += len(data)
            if skip:
                cut = min(skip, len(data))
                skip, data = skip - cut, data[cut:]
            write(data)
        if length is not None and came < int(length):
            raise _TryAgain(f"the body ended after {came} of {length} bytes")


class _TryAgain(Exception):
    def __init__(self, reason: str, after_s: float = RETRY_S, advice: str = "") -> None:
        super().__init__(reason)
        self.after_s = max(after_s, RETRY_S)
        self.advice = advice  # what to check, where the server was not even reached

    @property
    def is_unreachable(self) -> bool:
        return bool(self.advice)


def _of_connection(url: str, error: Exception) -> _TryAgain:
    """What went wrong before or between bytes, and what a person checks."""
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, SSLError

    host = urlsplit(url).netloc
    match error:
        case NameResolutionError():
            return _TryAgain(f"unknown host {host!r}", advice="check the host's name and this machine's DNS")
        case SSLError() if isinstance(error.__context__ or error.args[0], ssl.SSLCertVerificationError):
            reason = getattr(error.args[0], "verify_message", "") or str(error)
            return _TryAgain(f"the certificate of {host} is not accepted ({reason})",
                             advice="check the host's name, this machine's clock and its CA certificates")  # fmt: skip
        case SSLError():
            return _TryAgain(f"no TLS with {host} ({error})", advice="check http or https, and the port")
        case NewConnectionError():
            cause = error.__context__ if isinstance(error.__context__, OSError) else None
            reason = (cause.strerror if cause else "") or str(error)
            return _TryAgain(f"no connection to {host} ({reason})", advice="check host and port, and that it runs")
        case ConnectTimeoutError():
            return _TryAgain(f"{host} does not take the connection", advice="check host, port, firewall and proxy")
    return _TryAgain(f"{type(error).__name__}")


def _retry_after(text: str) -> float:
    """Seconds of a Retry-After header; a date, or none, counts as one retry interval."""
    return min(float(text), MAX_RETRY_AFTER_S) if text.strip().isdigit() else RETRY_S
