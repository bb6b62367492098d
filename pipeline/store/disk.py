"""The store as a folder of this machine or of a network file system."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BadConfig, FactoryError, MissingArtifact, StoreRefused, StoreUnavailable
from pipeline.machine_cache import MachineCache
from pipeline.manifest import Artifact
from pipeline.process_identity import this_process
from pipeline.store.interface import ArtifactStore, Entry

log = logging.getLogger(__name__)

SCRATCH_NAME = ".scratch"
ASIDE = re.compile(r"\..+\.[0-9a-f]{32}")  # .NAME.UUID, as _write_aside makes them
OWNER_NAME = ".owner"  # in a scratch folder: the process that works there
ATTEMPT_NAME = ".attempt"  # and the attempt that it works for


class FileStore(ArtifactStore):
    """A folder.  Writes go aside, are flushed, and are renamed (or linked, where only one may win)."""

    def __init__(self, folder: Path, cache: MachineCache | None = None) -> None:
        self.folder = folder.resolve()
        self.root = self.folder.as_uri()
        self.cache = cache or MachineCache()

    def get(self, key: str) -> bytes:
        with _translated(self.uri(key)):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                raise MissingArtifact(f"{self.uri(key)}: not in the store") from error

    def exists(self, key: str) -> bool:
        with _translated(self.uri(key)):
            return self._path(key).is_file()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with _translated(self.uri(key)):
            aside = self._write_aside(path, data)
            try:
                os.link(aside, path)
            except FileExistsError:
                return path.read_bytes() == data
            finally:
                aside.unlink()
            _flush_folder(path.parent)
            return True

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with _translated(self.uri(key)):
            os.replace(self._write_aside(path, data), path)

    def upload(self, path: Path, key: str) -> None:
        target = self._path(key)
        with _translated(self.uri(key)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            if path.stat().st_dev != target.parent.stat().st_dev:
                aside = target.parent / f".{target.name}.{uuid.uuid4().hex}"
                shutil.copyfile(path, aside)
                path = aside
            os.replace(path, target)
            _flush_folder(target.parent)

    def copy(self, key: str, target: str) -> None:
        place = self._path(target)
        aside = place.parent / f".{place.name}.{uuid.uuid4().hex}"
        with _translated(self.uri(target)):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.local(key), aside)  # artifacts never change, so a second name is a copy
            os.replace(aside, place)
            aside.unlink(missing_ok=True)  # rename leaves it where both names are the same file already
            _flush_folder(place.parent)

    def local(self, key: str) -> Path:
        path = self._path(key)
        with _translated(self.uri(key)):
            if not path.is_file():
                raise MissingArtifact(f"{self.uri(key)}: not in the store")
        return path

    def entries(self, prefix: str) -> Iterator[Entry]:
        for key in self._keys(prefix):
            try:
                found = (self.folder / key).stat()
            except FileNotFoundError:
                continue
            yield Entry(key, found.st_size, found.st_mtime)

    def list(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self._keys(prefix) if "/." not in f"/{key}")

    def delete(self, key: str) -> None:
        with _translated(self.uri(key)):
            self._path(key).unlink(missing_ok=True)

    def delete_folder(self, key: str) -> None:
        shutil.rmtree(self._path(key), ignore_errors=True)

    def remove_unfinished_writes(self, before: float) -> Iterator[Entry]:
        for entry in list(self.entries("")):
            if ASIDE.fullmatch(entry.key.rpartition("/")[2]) and entry.modified < before:
                self.delete(entry.key)
                yield entry

    def scratch(self) -> Path:
        folder = self.folder / SCRATCH_NAME / uuid.uuid4().hex
        with _translated(self.uri(SCRATCH_NAME)):
            folder.mkdir(parents=True)
            (folder / OWNER_NAME).write_text(this_process().to_json())
        return folder

    def scratch_folders(self) -> Iterator[Path]:
        above = self.folder / SCRATCH_NAME
        yield from sorted(above.iterdir()) if above.is_dir() else ()

    def now(self) -> float:
        probe = self.folder / f".clock.{uuid.uuid4().hex}"
        try:
            with _translated(self.root):
                self.folder.mkdir(parents=True, exist_ok=True)
                probe.touch()
                return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def open_shared(self, artifact: Artifact) -> Path:
        """Nothing is copied; a digest that was checked is remembered with the file's size and time."""
        path = self._path(artifact.key)
        with self.cache.one_at_a_time(artifact.sha256):
            if self.cache.was_checked(path, artifact.sha256, artifact.size_bytes):
                return path
            before = path.stat() if path.is_file() else None
            self.open(artifact)
            if before is not None:
                self.cache.remember(path, before, artifact.sha256)
        return path

    def _keys(self, prefix: str) -> Iterator[str]:
        folder, _, beginning = prefix.rpartition("/")
        start = self._path(folder)
        for above, names, files in os.walk(start):
            if Path(above) == self.folder and SCRATCH_NAME in names:
                names.remove(SCRATCH_NAME)
            if Path(above) == start:
                names[:] = [name for name in names if name.startswith(beginning)]
            within = Path(above).relative_to(self.folder).as_posix()
            for name in files:
                key = name if within == "." else f"{within}/{name}"
                if key.startswith(prefix):
                    yield key

    def _path(self, key: str) -> Path:
        path = self.folder / key
        if ".." in Path(key).parts:
            raise BadConfig(f"{key!r} leaves the store: a key has no '..'")
        return path

    def _write_aside(self, path: Path, data: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".{path.name}.{uuid.uuid4().hex}"
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        return aside


def store_error(error: OSError, place: str) -> FactoryError | None:
    """What an operating system's error means for the user; None for one that says nothing about the disk."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StoreUnavailable(f"{place}: the disk is full: free some of it and run the same command again")
        case errno.EROFS:
            return StoreRefused(f"{place}: the file system is read-only: mount it writable or name another --store")
        case errno.EACCES | errno.EPERM:
            return StoreRefused(f"{place}: permission denied for user {os.geteuid()}: change its owner or mode")
        case errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            return StoreRefused(f"{place}: {error.strerror}: name another file or folder")
        case errno.EIO | errno.ESTALE | errno.ETIMEDOUT | errno.ENOTCONN | errno.EHOSTDOWN:
            return StoreUnavailable(f"{place}: {error.strerror}: check the disk or its server and run it again")
    return None


@contextmanager
def _translated(place: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:  # of mkdir
        raise StoreRefused(f"{place}: there is a file where a folder is needed: name another --store") from error
    except OSError as error:
        ours = store_error(error, place)
        if ours is None:
            raise
        raise ours from error


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
