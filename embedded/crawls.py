"""The two overlapping dumps of the embedded run: Debian's manuals, or the small written crawl."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from embedded.debian import AptUnavailable, Archive
from embedded.record import Page, record_crawl, write_collection_info

log = logging.getLogger(__name__)

CRAWLS = {
    "CC-MAIN-2026-30": datetime(2026, 7, 20, tzinfo=UTC),
    "CC-MAIN-2026-34": datetime(2026, 8, 17, tzinfo=UTC),
}
FILES = 4  # WARC files of a dump
# Of a hundred pages 70 are in the first dump and 60 in the second, so 30 are in both.
FIRST_UNTIL, SECOND_FROM = 70, 40
MANUALS = (
    "installation-guide-amd64", "debian-faq", "debian-faq-de", "debian-faq-fr", "debian-faq-it", "debian-faq-ja",
    "debian-faq-nl", "debian-faq-ru", "debian-faq-zh-cn", "debian-reference-de", "debian-reference-en",
    "debian-reference-es", "debian-reference-fr", "debian-reference-id", "debian-reference-it", "debian-reference-ja",
    "debian-reference-pt", "debian-reference-zh-cn", "debian-reference-zh-tw", "maint-guide-ca", "maint-guide-es",
    "maint-guide-ru", "aptitude-doc-cs", "aptitude-doc-fi", "aptitude-doc-nl", "aptitude-doc-ru", "gimp-help-el",
    "gimp-help-ko", "gimp-help-sv", "gimp-help-da",
)  # fmt: skip
MIN_PAGE_BYTES = 2_000
MAX_PAGE_BYTES = 250_000
PARAGRAPH = re.compile(rb"<p>.*?</p>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CrawlFolder:
    """Dumps in Common Crawl's layout."""

    base_uri: str
    crawls: tuple[str, ...]


def make_debian_crawls(folder: Path, max_pages: int = 2400) -> CrawlFolder:
    """Two dumps of the HTML manuals that Debian ships in about 20 languages.  Raises AptUnavailable."""

    def pages() -> list[Page]:
        archive = Archive(folder.parent / "apt")
        names = [name for name in MANUALS if archive.has(name)]
        if MANUALS[0] not in names:
            raise AptUnavailable(f"apt's archive has no package {MANUALS[0]}")
        log.info("fetching %d manuals from Debian's archive", len(names))
        unpacked = archive.unpack(names, folder.parent / "manuals")
        found = _manual_pages(unpacked, max_pages)
        shutil.rmtree(unpacked)  # some 400 MB
        return found

    return _make(folder, pages, f"debian {max_pages} {' '.join(MANUALS)}")


def make_small_crawls(folder: Path) -> CrawlFolder:
    """Two dumps of pages written for the tests, in six languages."""
    from embedded.written import written_pages

    return _make(folder, written_pages, "written 1")


def _make(folder: Path, pages: Callable[[], Sequence[Page]], recipe: str) -> CrawlFolder:
    """Record the dumps aside and rename; what stands from the same recipe is kept."""
    made = CrawlFolder(folder.resolve().as_uri() + "/", tuple(CRAWLS))
    marker = folder / ".recipe"
    if marker.exists() and marker.read_text() == recipe:
        return made
    all_pages = pages()
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    for crawl, start in CRAWLS.items():
        chosen = [page for page in map(_version_for(crawl), all_pages) if page is not None]
        log.info("recording %s: %d pages over HTTP into WARC files", crawl, len(chosen))
        record_crawl(chosen, aside, crawl, files=FILES, start=start)
    write_collection_info(aside, list(CRAWLS))
    (aside / ".recipe").write_text(recipe)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
    return made


def _version_for(crawl: str) -> Callable[[Page], Page | None]:
    """Which pages a dump has; a third of those in both were changed before the second."""
    first = crawl == next(iter(CRAWLS))

    def choose(page: Page) -> Page | None:
        lot = int.from_bytes(hashlib.blake2b(page.url.encode(), digest_size=4).digest(), "big")
        place = lot % 100
        if first:
            return page if place < FIRST_UNTIL else None
        if place < SECOND_FROM:
            return None
        changed = place < FIRST_UNTIL and (lot // 100) % 3 == 0
        return Page(page.url, _revised(page.payload), page.content_type) if changed else page

    return choose


def _revised(payload: bytes) -> bytes:
    """The page without every fifth paragraph."""
    count = iter(range(1, 1 << 30))
    return PARAGRAPH.sub(lambda found: b"" if next(count) % 5 == 0 else found.group(), payload)


def _manual_pages(root: Path, max_pages: int) -> list[Page]:
    """HTML files below `root`, links left out, in the order of a hash, so that a cut takes from all manuals."""
    found = []
    for path in sorted(root.rglob("*")):
        if ".html" not in path.name or path.is_symlink() or not path.is_file():
            continue
        if MIN_PAGE_BYTES <= path.stat().st_size <= MAX_PAGE_BYTES:
            found.append(path)
    found.sort(key=lambda path: hashlib.blake2b(str(path.relative_to(root)).encode()).digest())
    return [_page(path, root) for path in found[:max_pages]]


def _page(path: Path, root: Path) -> Page:
    """A page under a made host of its manual.  Servers name the charset or leave it to the page; so here."""
    parts = path.relative_to(root).parts
    manual = next((part for part in parts if part not in ("usr", "share", "doc", "help", "gimp", "2.0")), "manual")
    payload = path.read_bytes()
    content_type = "text/html; charset=utf-8" if path.name.startswith(("ch", "a", "i")) else "text/html"
    if b"charset" in payload[:2048].lower() and b"utf-8" not in payload[:2048].lower():
        content_type = "text/html"
    return Page(
        f"http://{manual.lower().replace('_', '-')}.manuals.example/{'/'.join(parts[2:])}", payload, content_type
    )
