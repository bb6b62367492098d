"""Serve pages on loopback, fetch them over HTTP, and write what went over the wire as a dump in Common Crawl's layout.

The same pages give the same bytes: dates run from the dump's first moment, record ids are made from content.
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from ccnet.html import decode_html, extract_text

SOFTWARE = "xlmr-factory recorder"
PAGE_SECONDS = 7  # between two pages on the dump's clock
NAMESPACE = uuid.UUID("6d0f6f62-7c3d-5b52-9e0e-1f6b6f6d7277")


@dataclass(frozen=True, slots=True)
class Page:
    """One page as its server gives it."""

    url: str
    payload: bytes
    content_type: str = "text/html"


def record_crawl(pages: Sequence[Page], folder: Path, crawl: str, *, files: int, start: datetime) -> None:
    """Record all pages into `files` WARC files and their WET files below folder/crawl-data/CRAWL."""
    base = f"crawl-data/{crawl}"
    shutil.rmtree(folder / base, ignore_errors=True)
    paths: dict[str, list[str]] = {"segment": [], "warc": [], "wet": []}
    with _served(pages, start) as port:
        for index in range(files):
            share = pages[len(pages) * index // files : len(pages) * (index + 1) // files]
            begun = start + timedelta(hours=2 * index)
            segment = f"{base}/segments/{int(begun.timestamp())}.{index}"
            stem = f"CC-MAIN-{begun:%Y%m%d%H%M%S}-{begun + timedelta(hours=2):%Y%m%d%H%M%S}-{index:05d}"
            warc, wet = f"{segment}/warc/{stem}.warc.gz", f"{segment}/wet/{stem}.warc.wet.gz"
            _write_pair(share, port, begun, folder / warc, folder / wet, stem)
            for kind, path in (("segment", segment), ("warc", warc), ("wet", wet)):
                paths[kind].append(path)
    for kind, lines in paths.items():
        _write_gzip(folder / base / f"{kind}.paths.gz", "".join(f"{line}\n" for line in lines).encode())


def write_collection_info(folder: Path, crawls: Sequence[str]) -> None:
    """collinfo.json, newest first."""
    rows = [{"id": crawl, "name": f"{crawl} (recorded)", "timegate": "", "cdx-api": ""} for crawl in sorted(crawls)]
    (folder / "collinfo.json").write_text(json.dumps(rows[::-1], indent=1) + "\n")


def _write_pair(pages: Sequence[Page], port: int, begun: datetime, warc: Path, wet: Path, stem: str) -> None:
    for path in (warc, wet):
        path.parent.mkdir(parents=True, exist_ok=True)
    with warc.open("wb") as warc_file, wet.open("wb") as wet_file:
        archive, text = WARCWriter(warc_file, gzip=True), WARCWriter(wet_file, gzip=True)
        for writer, name in ((archive, f"{stem}.warc.gz"), (text, f"{stem}.warc.wet.gz")):
            headers = {"WARC-Date": _date(begun), "WARC-Record-ID": _record_id("warcinfo", name)}
            fields = io.BytesIO(f"software: {SOFTWARE}\r\nformat: WARC File Format 1.0\r\n".encode())
            record = writer.create_warc_record(
                None, "warcinfo", payload=fields, warc_headers_dict={**headers, "WARC-Filename": name}
            )
            writer.write_record(record)
        for number, page in enumerate(pages):
            moment = begun + timedelta(seconds=PAGE_SECONDS * number)
            _write_page(page, port, moment, archive, text)


def _write_page(page: Page, port: int, moment: datetime, archive: Any, text: Any) -> None:
    sent, got, body = _fetch(page.url, port)
    date = _date(moment)
    ids = {kind: _record_id(kind, page.url, date) for kind in ("request", "response", "metadata", "conversion")}
    for kind, http_headers, payload in (
        ("request", sent, b""),
        ("response", got, body),
        ("metadata", None, b"fetchTimeMs: 1\r\n"),
    ):
        headers = {"WARC-Date": date, "WARC-Record-ID": ids[kind]}
        headers |= {"WARC-Concurrent-To": ids["response"]} if kind != "response" else {}
        record = archive.create_warc_record(
            page.url, kind, payload=io.BytesIO(payload), http_headers=http_headers, warc_headers_dict=headers
        )
        archive.write_record(record)
    html = decode_html(body, page.content_type) if "html" in page.content_type else None
    if html is None:
        return
    title, lines = extract_text(html)
    conversion = text.create_warc_record(
        page.url,
        "conversion",
        payload=io.BytesIO("".join(f"{line}\n" for line in [title, *lines]).encode()),
        warc_content_type="text/plain",
        warc_headers_dict={"WARC-Date": date, "WARC-Record-ID": ids["conversion"], "WARC-Refers-To": ids["response"]},
    )
    text.write_record(conversion)


def _fetch(url: str, port: int) -> tuple[StatusAndHeaders, StatusAndHeaders, bytes]:
    """One exchange over loopback under the page's own host name: request, response head, body."""
    parts = urlsplit(url)
    asked = {"Host": parts.netloc, "User-Agent": SOFTWARE, "Accept": "text/html", "Connection": "close"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", parts.path, headers=asked)
        reply = connection.getresponse()
        body = reply.read()
    finally:
        connection.close()
    sent = StatusAndHeaders(f"GET {parts.path} HTTP/1.1", list(asked.items()), is_http_request=True)
    return sent, StatusAndHeaders(f"{reply.status} {reply.reason}", reply.getheaders(), protocol="HTTP/1.1"), body


@contextmanager
def _served(pages: Sequence[Page], moment: datetime) -> Iterator[int]:
    """A web server on a free loopback port that knows every page by host and path."""
    known: Mapping[tuple[str, str], Page] = {(urlsplit(p.url).netloc, urlsplit(p.url).path): p for p in pages}

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "Debian-manuals/1", ""

        def do_GET(self) -> None:
            page = known.get((self.headers["Host"], self.path))
            self.send_response(200 if page else 404)
            if page:
                self.send_header("Content-Type", page.content_type)
                self.send_header("Content-Length", str(len(page.payload)))
            self.end_headers()
            if page:
                self.wfile.write(page.payload)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(moment.astimezone(UTC), usegmt=True)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _record_id(*parts: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(NAMESPACE, ' '.join(parts))}>"


def _write_gzip(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0))
