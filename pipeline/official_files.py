"""Benchmarks' files from where their authors publish them: downloaded, checked by digest, and unpacked.

The lists are the benchmarks' own (evaluation/published_files.py).  Nothing is unpacked before its digest is right.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.errors import BadConfig, BadInput, SourceUnavailable
from pipeline.manifest import Manifest
from pipeline.needs import BENCHMARKS
from pipeline.stage import Inputs
from pipeline.store import sha256_of

if TYPE_CHECKING:
    from evaluation.published_files import PublishedFile, PublishedFiles

log = logging.getLogger(__name__)

SCHEME = "official:"
DOWNLOADS = 4  # at a time: polite to hosts, and quick with hundreds of small files
LOOK_EVERY_S = 1.0
Member = Callable[[], IO[bytes] | None]


def official_source(benchmark: str) -> str:
    """official:NAME@LIST, which changes with the list of files.  Raises BadConfig where they cannot be downloaded."""
    files = published_files(benchmark)
    if not files.can_be_downloaded:
        raise BadConfig(f"{benchmark}: its official files cannot be downloaded: {files.by_hand}")
    return f"{SCHEME}{benchmark}@{files.digest}"


def named_in(source: str) -> str:
    """The benchmark of such a source.  Raises BadConfig where the installed list of its files is another one."""
    benchmark = source.removeprefix(SCHEME).partition("@")[0]
    if source != (installed := official_source(benchmark)):
        raise BadConfig(f"{source}: the list of its official files is {installed} here: plan again")
    return benchmark


def published_files(benchmark: str) -> PublishedFiles:
    """Raises BadConfig for a name that is not there."""
    from evaluation.benchmarks import benchmark_named

    try:
        return benchmark_named(benchmark).published_files
    except ValueError as error:
        raise BadConfig(str(error)) from error


def benchmark_manifest(inputs: Inputs, benchmark: str) -> Manifest:
    """What `ingest` brought of a benchmark: its official files, or the folder of all.  Raises MissingArtifact."""
    units = {manifest.unit for manifest in inputs.of("ingest")}
    own = f"{BENCHMARKS}/{benchmark}"
    return inputs.named("ingest", own if own in units else BENCHMARKS)


def bring(
    benchmark: str,
    downloads: Path,
    data: Path,
    *,
    mirror: str = "",
    keep: Callable[[], None] = lambda: None,
    progress: Callable[[float, float, str], None] = lambda done, total, unit: None,
) -> None:
    """Download a benchmark's official files and put what readers want into the folder `data`.

    `downloads` outlives a kill: what came whole is not fetched again, and a half file goes on; `keep` is called when
    one more is whole and checked.  `progress(done, total, "MB")`.  Raises BadInput, SourceUnavailable.
    """
    from evaluation.benchmarks import benchmark_named

    known = benchmark_named(benchmark)
    files = known.published_files
    log.warning("%s: %.1f MB of official files (%d) from %s; licence: %s", benchmark, files.size_bytes / 1e6,
                len(files.files), ", ".join(files.hosts), known.licence)  # fmt: skip
    if files.by_hand:
        log.warning("%s: not all can be downloaded: %s", benchmark, files.by_hand)
    downloads.mkdir(parents=True, exist_ok=True)
    _download_all(files, downloads, mirror, keep, progress)
    for file in files.files:
        _take(file, place_of(file, downloads), data)
    if files.make:
        files.make(data)


def place_of(file: PublishedFile, downloads: Path) -> Path:
    """Of the file as it came: two of one name do not meet."""
    return downloads / f"{hashlib.sha256(file.url.encode()).hexdigest()[:16]}-{file.name}"


def _download_all(
    files: PublishedFiles,
    downloads: Path,
    mirror: str,
    keep: Callable[[], None],
    progress: Callable[[float, float, str], None],
) -> None:
    """The first error ends it; what is on the way then still comes, and is kept."""
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        running: set[Future[None]] = {pool.submit(_download, file, downloads, mirror) for file in files.files}
        try:
            while running:
                done, running = wait(running, LOOK_EVERY_S, FIRST_COMPLETED)
                for future in done:
                    future.result()
                    keep()
                came = _came(downloads)
                progress(came / 1e6, max(files.size_bytes, came) / 1e6, "MB")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _came(downloads: Path) -> int:
    """Bytes, those of half files as well; a file that is renamed meanwhile counts the next time."""
    total = 0
    for path in downloads.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _download(file: PublishedFile, downloads: Path, mirror: str) -> None:
    """One file, whole and with its digest.  Raises BadInput, SourceUnavailable."""
    from ccnet.crawl import PERMANENT, CrawlSource, PermanentCrawlError, TransientCrawlError

    place = place_of(file, downloads)
    url = f"{mirror.rstrip('/')}/{file.url.partition('://')[2]}" if mirror else file.url
    if not place.exists():
        base, _, name = url.rpartition("/")
        try:  # a bucket that may not be listed answers 403 for a name that it does not have
            CrawlSource(f"{base}/", permanent=PERMANENT | {403}).fetch(name, place)
        except PermanentCrawlError as error:
            said = str(error).split(": check ")[0]
            raise BadInput(f"{said}: {ELSEWHERE}") from error
        except TransientCrawlError as error:
            raise SourceUnavailable(str(error)) from error
    if fault := _fault(file, place):
        place.unlink()
        raise BadInput(f"{url}: {fault}: a damaged or another file: try again, or {ELSEWHERE}")


ELSEWHERE = "get it yourself and give the folder of the benchmarks' files (--data, benchmark_data), or name a mirror \
(benchmark_mirror)"


def _fault(file: PublishedFile, path: Path) -> str:
    """What is wrong with a file that came, "" if nothing: its digest decides, its size tells a cut one."""
    if file.git_blob:
        data = path.read_bytes()
        found, wanted = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(), file.git_blob
    else:
        found, wanted = sha256_of(path), file.sha256
    if found == wanted:
        return ""
    size = f" of {file.size_bytes:,} bytes" if file.size_bytes else ""
    return f"{path.stat().st_size:,} bytes with digest {found[:16]}…, published is {wanted[:16]}…{size}"


def _take(file: PublishedFile, came: Path, data: Path) -> None:
    """Put a file, or the wanted members of an archive, where readers look.  Raises BadInput."""
    if not file.members:
        place = data / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(came, place)
        return
    try:
        with _opened(came) as members:
            chosen = _chosen(file, members)
            for inside, name in chosen.items():
                place = data / file.path / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                stream = members[name]()
                assert stream is not None  # regular files alone are listed
                with stream, place.open("wb") as target:
                    shutil.copyfileobj(stream, target, 1 << 20)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise BadInput(f"{file.url}: {error}: wanted a zip or tar archive") from error


def _chosen(file: PublishedFile, members: Mapping[str, Member]) -> dict[str, str]:
    """Where a member goes below the file's folder -> its name in the archive, in the archive's order.

    Of two that would go to one place, that with the fewest folders above it is taken.
    """
    found: dict[str, str] = {}
    missing = set(file.members)
    for name in members:
        parts = name.split("/")
        if any(part.startswith((".", "__MACOSX")) for part in parts if part != "."):
            if ".." in parts:
                raise BadInput(f"{file.url}: its member {name!r} leads out of its folder: nothing is taken from it")
            continue
        for pattern in file.members:
            inside = "/".join(parts[-len(pattern.split("/")) :])
            if _fits(inside, pattern):
                missing.discard(pattern)
                if inside not in found or len(parts) < len(found[inside].split("/")):
                    found[inside] = name
    if missing:
        raise BadInput(f"{file.url}: holds no {', '.join(sorted(missing))}: wanted the archive as it was published")
    return found


def _fits(inside: str, pattern: str) -> bool:
    """Part by part: a star stands for no slash."""
    pairs = zip(inside.lower().split("/"), pattern.lower().split("/"), strict=False)
    return inside.count("/") == pattern.count("/") and all(fnmatch(part, wanted) for part, wanted in pairs)


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Member]]:
    """The regular files of an archive by name, each with what opens it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield {info.filename: partial(archive.open, info) for info in archive.infolist() if not info.is_dir()}
    else:
        with tarfile.open(path) as packed:
            yield {member.name: partial(packed.extractfile, member) for member in packed if member.isreg()}
