"""Fetching from a web server on loopback that misbehaves as Common Crawl's does under load."""

from __future__ import annotations

import gzip
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import zstandard

from ccnet.crawl import (
    CrawlSlice,
    CrawlSource,
    PermanentCrawlError,
    TransientCrawlError,
    WrongFileError,
    choose_paths,
)
from tests.ccnet.odd_archives import good_html, response

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


ERROR_TEXT = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"


def answer(body: bytes) -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return fault


def test_a_file_that_is_not_what_its_name_says_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.faults, clock = [other_bytes, answer(ERROR_TEXT)], Clock()
    assert source(server, clock).fetch("a.gz", tmp_path / "a.gz").path.read_bytes() == BODY
    assert clock.slept == [1.0, 2.0]
    assert server.starts == [0, 0, 0]  # nothing of the wrong file is gone on with


WARC = gzip.compress(response(good_html("a")), mtime=0)
WRONG = {
    "nothing": (b"", "it has 0 bytes"),
    "an error text": (ERROR_TEXT, r"it begins with \"<\?xml version='1\.0'.*, which is no gzip"),
    "a page": (b"<!DOCTYPE html><title>Sign in</title>", "begins with '<!DOCTYPE html>.*, which is no gzip"),
    "an error text in gzip": (
        gzip.compress(ERROR_TEXT, mtime=0),
        r"what it holds begins with \"<\?xml .*, which is no WARC record",
    ),
    "half a member": (WARC[:-60], r"does not end well \(truncated_gzip at byte 0\)"),
    "a last member that is cut": (WARC + WARC[:40], rf"does not end well \(truncated_gzip at byte {len(WARC)}\)"),
    "a flipped bit": (WARC[:-8] + b"\0" + WARC[-7:] + WARC, r"does not end well \(bad_gzip at byte 0\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_stays_wrong_is_refused_by_name(name: str, server: Server, tmp_path: Path) -> None:
    body, told = WRONG[name]
    server.faults = [answer(body)] * 3
    with pytest.raises(WrongFileError, match=rf"127\.0\.0\.1.*/x/a\.warc\.gz: .*{told}"):
        source(server, Clock()).fetch("x/a.warc.gz", tmp_path / "a.warc.gz")
    assert list(tmp_path.iterdir()) == []
    folder = tmp_path / "crawl"
    folder.mkdir()
    (folder / "a.warc.gz").write_bytes(body)
    with pytest.raises(WrongFileError, match=told):  # a folder is not asked twice
        CrawlSource(str(folder), sleep=lambda _: pytest.fail("slept")).fetch("a.warc.gz", tmp_path / "b.warc.gz")
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.warc.gz", WARC * 3),
        ("a.warc", gzip.decompress(WARC)),
        ("a.warc.zst", zstandard.compress(gzip.decompress(WARC))),
        ("en.txt.gz", gzip.compress(b"Any text.", mtime=0)),
        ("labels.tsv", b""),
        ("page.html", b"<html>"),
    ],
)
def test_what_its_name_says_is_taken(name: str, body: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    assert CrawlSource(str(tmp_path)).fetch(name, tmp_path / "taken").size_bytes == len(body)


def test_slices_are_ccnets_contiguous_shares() -> None:
    paths = [str(n) for n in range(10)]
    shares = [choose_paths(paths, CrawlSlice("C", index, 3)) for index in range(3)]
    assert [len(share) for share in shares] == [3, 3, 4]
    assert [path for share in shares for path in share] == paths
    assert choose_paths(paths, CrawlSlice("C", 1, 2), max_files=4) == ["2", "3"]
    assert CrawlSlice.parse("CC-MAIN-2019-35/00001-of-00003") == CrawlSlice("CC-MAIN-2019-35", 1, 3)
    with pytest.raises(PermanentCrawlError, match="wanted CRAWL/INDEX-of-COUNT"):
        CrawlSlice.parse("CC-MAIN-2019-35/3-of-3")


def unreachable(base: str) -> tuple[str, float]:
    """What a source that cannot be reached says, and how long it slept."""
    clock = Clock()
    with pytest.raises(TransientCrawlError) as caught:
        CrawlSource(base, sleep=clock.sleep, clock=lambda: clock.now).read("a.gz")
    return str(caught.value), clock.now


def test_an_unknown_host_is_named_within_a_minute() -> None:
    said, slept = unreachable("http://no-such-host.invalid/")
    assert "unknown host 'no-such-host.invalid' for" in said
    assert said.endswith("check the host's name and this machine's DNS")
    assert slept < 60


def test_a_refused_connection_is_named_within_a_minute() -> None:
    said, slept = unreachable("http://127.0.0.1:9/")
    assert "no connection to 127.0.0.1:9 (Connection refused) for" in said
    assert slept < 60


def test_a_wrong_certificate_is_named_within_a_minute(server: Server, tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
               "-subj", "/CN=localhost", "-days", "2"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    said, slept = unreachable(server.base.replace("http", "https"))
    assert re.search(r"the certificate of 127\.0\.0\.1:\d+ is not accepted \(self.signed certificate\) for", said)
    assert slept < 60


def test_a_server_that_answered_once_is_waited_for_when_it_goes_away(server: Server, tmp_path: Path) -> None:
    """It is restarted: connections are refused for longer than a wrong address is tried."""
    clock = Clock()
    patient = CrawlSource(server.base, max_idle_s=300, sleep=clock.sleep, clock=lambda: clock.now)
    patient.fetch("a.gz", tmp_path / "a.gz")
    server.server.shutdown()
    server.server.server_close()
    patient._pool = None
    with pytest.raises(TransientCrawlError, match=r"for 3\d\d s"):
        patient.fetch("b.gz", tmp_path / "b.gz")


def test_a_wait_is_told_every_half_minute(server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.faults, clock = [status(503, "100")], Clock()
    source(server, clock).fetch("a.gz", tmp_path / "a.gz")
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition("; ")[2] for line in told] == ["again in 70 s", "again in 40 s", "again in 10 s"]
    assert "a.gz: the server answers 503, for 30 s now" in told[0]


def test_endless_503_is_asked_less_and_less_often(server: Server, tmp_path: Path) -> None:
    server.faults, clock = [status(503)] * 9, Clock()
    source(server, clock).fetch("a.gz", tmp_path / "a.gz")
    assert clock.slept == [1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 2.0]


def test_a_redirect_is_not_followed_for_hours(server: Server) -> None:
    server.faults = [status(301)]
    with pytest.raises(PermanentCrawlError, match="redirects to nowhere: use that as the base"):
        CrawlSource(server.base).read("a.gz")
