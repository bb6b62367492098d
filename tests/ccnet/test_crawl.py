"""Fetching from a web server on loopback that misbehaves as Common Crawl's does under load."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ccnet.crawl import CrawlSlice, CrawlSource, PermanentCrawlError, TransientCrawlError, choose_paths

BODY = gzip.compress(bytes(range(256)) * 4000, 1, mtime=0)
Fault = Callable[[BaseHTTPRequestHandler], bool]


class Server:
    """Serves BODY at any path; each request first meets the next fault, which may answer it."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.agents: list[str] = []
        self.starts: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.agents.append(self.headers["User-Agent"])
                start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                outer.starts.append(start)
                if outer.faults and outer.faults.pop(0)(self):
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(BODY) - start))
                self.end_headers()
                self.wfile.write(BODY[start:])

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def status(code: int, retry_after: str = "") -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(code)
        if retry_after:
            handler.send_header("Retry-After", retry_after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    return fault


def cut_body(handler: BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[: len(BODY) // 3])
    handler.close_connection = True
    return True


def reset(handler: BaseHTTPRequestHandler) -> bool:
    handler.connection.close()
    return True


def other_bytes(handler: BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(BODY[:1000])
    return True


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def source(server: Server, clock: Clock) -> CrawlSource:
    return CrawlSource(server.base, max_idle_s=60, sleep=clock.sleep, clock=lambda: clock.now)


def test_throttling_is_waited_out_as_the_server_asks(server: Server, tmp_path: Path) -> None:
    server.faults, clock = [status(503, "7"), status(503), status(429, "0")], Clock()
    fetched = source(server, clock).fetch("a.gz", tmp_path / "a.gz")
    assert fetched.path.read_bytes() == BODY
    assert clock.slept == [7.0, 1.0, 1.0]  # never faster than one a second
    assert all("xlmr-factory" in agent for agent in server.agents)


def test_a_body_that_breaks_off_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.faults = [cut_body, reset]
    source(server, Clock()).fetch("a.gz", tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == BODY
    assert server.starts == [0, len(BODY) // 3, len(BODY) // 3]


def test_a_missing_file_is_permanent_and_named(server: Server, tmp_path: Path) -> None:
    server.faults = [status(404)]
    with pytest.raises(PermanentCrawlError, match=r"gone\.gz: the server answers 404"):
        source(server, Clock()).fetch("gone.gz", tmp_path / "a.gz")
    assert not (tmp_path / "a.gz").exists()


def test_endless_throttling_ends_as_something_to_try_again(server: Server, tmp_path: Path) -> None:
    server.faults = [status(503, "30")] * 10
    with pytest.raises(TransientCrawlError, match="answers 503 for 90 s"):
        source(server, Clock()).fetch("a.gz", tmp_path / "a.gz")


def test_a_file_whose_gzip_does_not_end_is_refused(server: Server, tmp_path: Path) -> None:
    server.faults = [other_bytes]
    with pytest.raises(TransientCrawlError, match="does not end well"):
        source(server, Clock()).fetch("a.gz", tmp_path / "a.gz")
    assert list(tmp_path.iterdir()) == []


def test_slices_are_ccnets_contiguous_shares() -> None:
    paths = [str(n) for n in range(10)]
    shares = [choose_paths(paths, CrawlSlice("C", index, 3)) for index in range(3)]
    assert [len(share) for share in shares] == [3, 3, 4]
    assert [path for share in shares for path in share] == paths
    assert choose_paths(paths, CrawlSlice("C", 1, 2), max_files=4) == ["2", "3"]
    assert CrawlSlice.parse("CC-MAIN-2019-35/00001-of-00003") == CrawlSlice("CC-MAIN-2019-35", 1, 3)
    with pytest.raises(PermanentCrawlError, match="wanted CRAWL/INDEX-of-COUNT"):
        CrawlSlice.parse("CC-MAIN-2019-35/3-of-3")
