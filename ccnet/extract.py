"""Crawl files to documents: WET text as CCNet parses it, WARC pages through the HTML extractor.

Every conversion or response record is a document in; each is kept or counted under one reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ccnet.digest import matches, sha1_digest
from ccnet.document import CorpusError, Document
from ccnet.html import decode_html, extract_text
from ccnet.http_message import parse_response
from ccnet.shards import write_documents
from ccnet.warc import MAX_RECORD_BYTES, Fault, Record, read_records

HTML_TYPES = ("text/html", "application/xhtml+xml")


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
    """The documents of crawl files (crawl path, local path) in their order; what is met and dropped is counted."""
    for segment, path in files:
        counts["bytes_in"] += path.stat().st_size
        for found in read_records(path, max_record_bytes):
            yield from _document(found, segment, min_characters, counts)


def check_readable(counts: Counter[str], names: Sequence[str], max_bad_fraction: float = 0.5) -> None:
    """Raise CorpusError where more than `max_bad_fraction` of what was met could not be read at all."""
    bad = sum(counts[f"dropped_{reason}"] for reason in ("bad_gzip", "truncated_gzip", "bad_record", "not_an_archive"))
    if bad > max_bad_fraction * max(counts["documents_in"], 1):
        named = ", ".join(names[:3])
        raise CorpusError(f"{bad} of {counts['documents_in']} documents of {named} cannot be read: fetch them again")


def _document(found: Record | Fault, segment: str, min_characters: int, counts: Counter[str]) -> Iterator[Document]:
    counts["records_in"] += 1
    if isinstance(found, Fault):
        result: Document | str = found.reason
    elif found.type == "conversion":
        result = from_wet(found, segment)
    elif found.type == "response":
        result = from_warc(found, segment)
    elif found.type == "revisit":
        result = "revisit"
    else:
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
    kind = record.headers.get("warc-identified-payload-type") or response.content_type.partition(";")[0].strip()
    if kind and kind.lower() not in HTML_TYPES:
        return "not_html"
    if not response.payload.strip():
        return "empty"
    body = response.body()
    html = None if body is None else decode_html(body, response.content_type)
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
