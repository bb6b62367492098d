"""`robotstxt` WARC files as Common Crawl's crawler leaves them: a request and a response for each robots.txt."""

from __future__ import annotations

import io
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

Answer = tuple[str, str, int, bytes, dict[str, str]]  # URL, date, status, body, headers


def answer(
    url: str, body: bytes | str = b"", *, status: int = 200, date: str = "2026-08-01T00:00:00Z", **headers: str
) -> Answer:
    return url, date, status, body.encode() if isinstance(body, str) else body, headers


def write_robots(path: Path, *answers: Answer) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        writer.write_record(writer.create_warcinfo_record(path.name, {"software": "a test"}))
        for url, date, status, body, headers in answers:
            asked = StatusAndHeaders("GET /robots.txt HTTP/1.1", [("Host", "x")], is_http_request=True)
            told = StatusAndHeaders(f"{status} X", [("Content-Type", "text/plain"), *headers.items()], "HTTP/1.1")
            for kind, http, payload in (("request", asked, b""), ("response", told, body)):
                writer.write_record(
                    writer.create_warc_record(
                        url, kind, payload=io.BytesIO(payload), http_headers=http,
                        warc_headers_dict={"WARC-Date": date},
                    )
                )  # fmt: skip
    return path
