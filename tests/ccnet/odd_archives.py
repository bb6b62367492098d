"""Broken inputs, built in memory: each is a WARC file with one broken record between two good pages."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable

GOOD_TEXT = "A page about gardens and the birds that live in them through the long winter of the north. "
LINES = 5


def sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def html(body: str, charset: str = "utf-8") -> bytes:
    return f"<html><head><title>Page</title></head><body>{body}</body></html>".encode(charset)


def good_html(name: str) -> bytes:
    return html("".join(f"<p>{GOOD_TEXT}{name} {n}</p>" for n in range(LINES)))


def response(payload: bytes, *, url: str = "http://odd.example/", content_type: str = "text/html; charset=utf-8",
             digest: str | None = None, status: str = "200 OK", extra: str = "") -> bytes:  # fmt: skip
    block = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n\r\n".encode() + payload
    stated = sha1(payload) if digest is None else digest
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:1>\r\nWARC-Payload-Digest: {stated}\r\n{extra}"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def conversion(url: str, text: str) -> bytes:
    """A record of a WET file, headers in Common Crawl's order since 2020."""
    block = text.encode()
    head = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:1>\r\nWARC-Refers-To: <urn:uuid:2>\r\nWARC-Block-Digest: {sha1(block)}\r\n"
        f"WARC-Identified-Content-Language: eng\r\nContent-Type: text/plain\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def member(record: bytes) -> bytes:
    return gzip.compress(record, mtime=0)


def page(name: str) -> bytes:
    return member(response(good_html(name), url=f"http://good.example/{name}"))


def wrongly_declared() -> bytes:
    payload = html("".join(f"<p>Größe über Straße, Äpfel für Käse: {GOOD_TEXT}{n}</p>" for n in range(6)), "latin-1")
    return member(response(payload, content_type="text/html; charset=utf-8"))


def raw(head: str, payload: bytes, url: str = "http://odd.example/") -> bytes:
    """A response whose HTTP head is given as it is, its lines and end included."""
    block = head.encode("latin-1") + payload
    start = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {len(block)}\r\n\r\n"
    return start.encode() + block + b"\r\n\r\n"


OK = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
PDF = b"%PDF-1.4\n" + GOOD_TEXT.encode() * 20


# name -> (bytes between two good pages, what it is counted as, documents that survive)
ODD_ARCHIVES: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "a gzip member cut in the middle": (lambda: page("cut")[:-60], "dropped_bad_gzip", 2),
    "a record without a length": (
        lambda: member(b"WARC/1.0\r\nWARC-Type: response\r\n\r\nno length here\r\n\r\n"), "dropped_bad_record", 2),
    "a member that holds no record": (lambda: member(b"this is no WARC record at all\n" * 4), "dropped_bad_record", 2),
    "a record that says it is longer than it is": (
        lambda: member(response(good_html("long")).replace(b"Content-Length: ", b"Content-Length: 9")),
        "dropped_truncated_record", 2),
    "a charset that is not the declared one": (wrongly_declared, "documents_kept", 3),
    "NUL bytes in the text": (
        lambda: member(response(good_html("nul").replace(b"garden", b"gar\0den"))), "documents_kept", 3),
    "an empty body": (lambda: member(response(b"")), "dropped_empty", 2),
    "a picture": (lambda: member(response(b"\x89PNG\r\n\x1a\n" + bytes(500), content_type="image/png")),
                  "dropped_not_html", 2),
    "a digest of other bytes": (lambda: member(response(good_html("other"), digest=sha1(b"else"))),
                                "dropped_digest_mismatch", 2),
    "a page that was not found": (
        lambda: member(response(good_html("404"), status="404 Not Found")), "dropped_not_ok", 2),
    "a status of odd digits": (
        lambda: member(response(good_html("odd"), status="990 OK").replace(b" 990 ", b" \xb3\xb90 ")),
        "dropped_not_http", 2),
    "a block that is no HTTP": (
        lambda: member(response(good_html("x")).replace(b"HTTP/1.1 200 OK", b"GARBAGE 00 0 OK")),
        "dropped_not_http", 2),
    "a line of five megabytes": (
        lambda: member(response(html("<p>" + GOOD_TEXT * (5_000_000 // len(GOOD_TEXT)) + "</p>"))),
        "documents_kept", 3),
    "a body that inflates beyond all bounds": (
        lambda: member(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 90000000\r\n\r\n" + bytes(90_000_000)),
        "dropped_too_large", 2),
    "a revisit": (
        lambda: member(response(b"").replace(b"WARC-Type: response", b"WARC-Type: revisit")), "dropped_revisit", 2),
    "a charset that is a codec of Python's and no label": (
        lambda: member(response(good_html("x"), content_type="text/html; charset=undefined")), "documents_kept", 3),
    "a length of a chunk that is negative": (
        lambda: member(raw(f"{OK}Transfer-Encoding: chunked\r\n\r\n", b"-6\r\n" + good_html("x"))),
        "documents_kept", 3),
    "a coding that was undone": (
        lambda: member(response(good_html("x"), content_type="text/html\r\nContent-Encoding: br")),
        "documents_kept", 3),
    "a coding that cannot be undone": (
        lambda: member(response(bytes(range(256)), content_type="text/html\r\nContent-Encoding: br")),
        "dropped_undecodable", 2),
    "lines of the head that end with a line feed": (
        lambda: member(raw(f"{OK}\r\n".replace("\r", ""), good_html("x"))), "documents_kept", 3),
    "a head of folded lines alone": (
        lambda: member(raw(OK + "\r\n x" * 50_000 + "\r\n\r\n", good_html("x"))), "documents_kept", 3),
    "an interim answer": (
        lambda: member(raw(f"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n{OK}\r\n", good_html("x"))),
        "documents_kept", 3),
    "interim answers without end": (
        lambda: member(raw("HTTP/1.1 100 Continue\r\n\r\n" * 500 + f"{OK}\r\n", good_html("x"))), "dropped_not_ok", 2),
    "a PDF without a type": (lambda: member(raw("HTTP/1.1 200 OK\r\n\r\n", PDF)), "dropped_not_html", 2),
    "a PDF that is called a page": (lambda: member(response(PDF)), "dropped_not_html", 2),
    "formatting that is never closed": (
        lambda: member(response(html(f"<p>{'<font size=1><i><font size=2>' * 9_000}</p>{'<p>words</p>' * 20_000}"))),
        "documents_kept", 3),
    "a line end of Unicode in a header": (
        lambda: member(response(good_html("x"), url="http://odd.example/a\u2028WARC-Type: request")),
        "documents_kept", 3),
}  # fmt: skip
