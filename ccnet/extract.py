"""Crawl files to documents: WET text as CCNet parses it, WARC pages through the HTML extractor.

Every conversion or response record is a document in; each is kept or counted under one reason.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ccnet.digest import matches, sha1_digest
from ccnet.document import CorpusError, Document
from ccnet.html import decode_html, extract_text
from ccnet.http_message import parse_media_type, parse_response
from ccnet.media_types import HTML_TYPES, UNKNOWN_TYPES, is_html
from ccnet.shards import write_documents
from ccnet.warc import MAX_RECORD_BYTES, Fault, Record, read_records

log = logging.getLogger(__name__)

UNREADABLE = ("bad_gzip", "truncated_gzip", "bad_zstd", "truncated_zstd", "bad_record", "not_an_archive")
MAX_LOGGED = 10  # lines a file about what could not be read; all of it is counted
MAX_LOGGED_CHARACTERS = 300  # of a URL, and of what was raised
MIN_FAILURES = 20  # where so many records of a file fail, and most of them, it is not the records' fault


def extract_files(
    files: Sequence[tuple[str, Path]],
    output: Path,
    *,
    min_characters: int = 300,
    max_record_bytes: int = MAX_RECORD_BYTES,
    max_bad_fraction: float = 0.5,
) -> Counter[str]:
    """Write the documents of crawl files (crawl path, local path) in their order, and count.

    Raises CorpusError where more than `max_bad_fraction` of what was met could not be read at all.
    """
    counts: Counter[str] = Counter()
    write_documents(read_documents(files, counts, min_characters, max_record_bytes), output)
    check_readable(counts, [segment for segment, _ in files], max_bad_fraction)
    return counts


def read_documents(
    files: Sequence[tuple[str, Path]],
    counts: Counter[str],
    min_characters: int = 300,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[Document]:
    """The documents of crawl files (crawl path, local path) in their order; what is met and dropped is counted.

    A record for which anything is raised is dropped as extraction_failed; where most records of a file are, the
    fault is the program's, and the last one's exception is raised.
    """
    for segment, path in files:
        counts["bytes_in"] += path.stat().st_size
        told = 0
        records: Counter[str] = Counter()
        for found in read_records(path, max_record_bytes):
            result, where = _extracted(found, segment, records)
            if where:
                told += 1
                _tell(f"{segment} at byte {found.offset}: {where}", told)
            yield from _counted(result, min_characters, counts)


def check_readable(counts: Counter[str], names: Sequence[str], max_bad_fraction: float = 0.5) -> None:
    """Raise CorpusError where more than `max_bad_fraction` of what was met could not be read at all."""
    reasons = {reason: counts[f"dropped_{reason}"] for reason in UNREADABLE if counts[f"dropped_{reason}"]}
    bad = sum(reasons.values())
    if bad > max_bad_fraction * max(counts["documents_in"], 1):
        named = ", ".join(names[:3])
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        raise CorpusError(
            f"{bad} of {counts['documents_in']} documents of {named} ({why}) cannot be read: fetch them again"
        )


def _extracted(found: Record | Fault, segment: str, records: Counter[str]) -> tuple[Document | str | None, str]:
    """A record's document, the reason for dropping it, or None for a record that is no page; and what to tell of it,
    "" for nothing."""
    if isinstance(found, Fault):
        return found.reason, found.reason
    if found.type not in EXTRACTORS:
        return None, ""
    records["seen"] += 1
    try:
        return EXTRACTORS[found.type](found, segment), ""
    except Exception as error:  # whatever a library raises for a page costs that page
        records["failed"] += 1
        if records["failed"] >= MIN_FAILURES and records["failed"] > records["seen"] / 2:
            raise
        url = ascii(found.headers.get("warc-target-uri", ""))[:MAX_LOGGED_CHARACTERS]
        return "extraction_failed", f"{url}: {type(error).__name__}: {str(error)[:MAX_LOGGED_CHARACTERS]}"


def _tell(what: str, told: int) -> None:
    if told <= MAX_LOGGED:
        more = "; more of this file are counted, not logged" if told == MAX_LOGGED else ""
        log.warning("%s: dropped%s", what, more)


def _counted(result: Document | str | None, min_characters: int, counts: Counter[str]) -> Iterator[Document]:
    counts["records_in"] += 1
    if result is None:
        return  # warcinfo, request, metadata, resource: no page
    counts["documents_in"] += 1
    if isinstance(result, Document) and len(result.text) < min_characters:
        result = "too_short"
    if isinstance(result, str):
        counts[f"dropped_{result}"] += 1
        return
    counts["documents_kept"] += 1
    counts["characters_kept"] += len(result.text)
    counts["paragraphs_kept"] += result.original_nlines
    yield result


def from_wet(record: Record, segment: str) -> Document | str:
    """CCNet's parse_doc: the first line is the title and no part of the text; or the reason for dropping it.

    The digest names the document and is not checked, as in CCNet: what a gzip member's CRC says is enough.

    Two empty lines end a record, and are cut only where both are there, so a record without a final newline keeps
    one empty line, as in CCNet.
    """
    if not record.content.strip():
        return "empty"
    try:
        text = record.content.decode("utf-8")
    except UnicodeDecodeError:
        return "undecodable"
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines.append("")  # with the record's two newlines after it, as text lines
    if not lines[-2]:
        del lines[-2:]
    title, *rest = lines or [""]
    return Document(
        url=record.headers.get("warc-target-uri", ""),
        date=record.headers.get("warc-date", ""),
        digest=record.headers.get("warc-block-digest") or sha1_digest(record.content),
        title=title,
        text="\n".join(rest),
        cc_segment=segment,
        original_length=len(record.content),
        original_nlines=len(rest),
    )


def from_warc(record: Record, segment: str) -> Document | str:
    """The visible text of an HTML page, or the reason for dropping the record."""
    response = parse_response(record.content)
    if response is None:
        return "not_http"
    digest = record.headers.get("warc-payload-digest", "")
    whole = "warc-truncated" not in record.headers
    if digest and whole and not any(matches(digest, data) for data in (response.payload, response.joined())):
        return "digest_mismatch"  # some crawlers take the digest before they join the chunks, some after
    if response.status != 200:
        return "not_ok"
    if not response.payload.strip():
        return "empty"
    identified = record.headers.get("warc-identified-payload-type", "")
    kind = parse_media_type(identified)[0] or parse_media_type(response.content_type)[0]
    if kind not in (*HTML_TYPES, *UNKNOWN_TYPES):
        return "not_html"
    body = response.body()
    if body is None:
        return "undecodable"
    if not is_html(kind, body):
        return "not_html"
    html = decode_html(body, response.content_type)
    if html is None:
        return "undecodable"
    title, lines = extract_text(html)
    return Document(
        url=record.headers.get("warc-target-uri", "").strip("<>"),
        date=record.headers.get("warc-date", ""),
        digest=digest or sha1_digest(response.payload),
        title=title,
        text="\n".join(lines),
        cc_segment=segment,
        original_length=len(response.payload),
        original_nlines=len(lines),
    )


def _revisit(record: Record, segment: str) -> Document | str:
    return "revisit"


EXTRACTORS = {"conversion": from_wet, "response": from_warc, "revisit": _revisit}
