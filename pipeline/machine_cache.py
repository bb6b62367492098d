"""Files that many processes of one machine read, brought once and checked once, by SHA-256, within a limit.

Two locks a digest (flock, so that the kernel frees them when a process ends): `.use` is shared while a process
has the file open, `.fetch` is exclusive while one brings it.  What is removed is the least recently used file that
nobody uses.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

MAX_BYTES = 20 << 30
FILES, LOCKS, CHECKED = "files", "locks", "checked"


class MachineCache:
    """A folder that the processes of one machine share; `max_bytes` bounds what lies in it.

    Files that were asked for stay in use until this object goes (a store has one, a task has a store).
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder or Path("~/.cache/xlmr").expanduser()
        self.max_bytes = max_bytes
        self._used: dict[str, int] = {}  # digest -> descriptor of its shared lock, as long as this object lives
        weakref.finalize(self, _close, self._used)

    def __reduce__(self) -> tuple[type[MachineCache], tuple[Path, int]]:
        return (MachineCache, (self.folder, self.max_bytes))  # locks stay with the process that took them

    def path(self, sha256: str, size_bytes: int, fetch: Callable[[Path], None]) -> Path | None:
        """The file of that digest.  `fetch(target)` brings and checks it where it is not there.

        None where the cache cannot take it (its folder cannot be written, or all in it is in use): the caller
        brings it for itself.
        """
        try:
            return self._path(sha256, size_bytes, fetch)
        except OSError as error:
            log.warning("%s: %s: shared artifacts are not kept on this machine", self.folder, error)
            return None

    def _path(self, sha256: str, size_bytes: int, fetch: Callable[[Path], None]) -> Path | None:
        place = self.folder / FILES / sha256
        self._use(sha256)
        if _has_size(place, size_bytes):
            return place
        with self._locked(f"{sha256}.fetch"):
            if _has_size(place, size_bytes):
                return place
            if not self._make_room(size_bytes):
                log.warning("%s: %d bytes do not fit into %d: brought for this process only",
                            self.folder, size_bytes, self.max_bytes)  # fmt: skip
                return None
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f".{sha256}.{uuid.uuid4().hex}")
            try:
                fetch(aside)
                os.replace(aside, place)
            finally:
                aside.unlink(missing_ok=True)
        self._make_room(0)  # several processes may have brought different files at once
        return place

    @contextmanager
    def one_at_a_time(self, sha256: str) -> Iterator[None]:
        """Held by one process of the machine at a time; without a lock where the folder cannot be written."""
        try:
            descriptor = self._lock(f"{sha256}.fetch", fcntl.LOCK_EX)
        except OSError as error:
            log.debug("%s: %s", self.folder, error)
            yield
            return
        try:
            yield
        finally:
            os.close(descriptor)

    def was_checked(self, path: Path, sha256: str, size_bytes: int) -> bool:
        """Whether this very file (size, time of change) was found to have the digest before."""
        try:
            known = json.loads((self.folder / CHECKED / sha256).read_text())
            found = path.stat()
        except (OSError, ValueError):
            return False
        return bool(known == _mark(path, found) and found.st_size == size_bytes)

    def remember(self, path: Path, found: os.stat_result, sha256: str) -> None:
        """Note that `path`, as `found` describes it, has the digest."""
        place = self.folder / CHECKED / sha256
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f".{sha256}.{uuid.uuid4().hex}")
            aside.write_text(json.dumps(_mark(path, found)))
            os.replace(aside, place)
        except OSError as error:
            log.debug("%s: %s: checked again the next time", self.folder, error)

    def _use(self, sha256: str) -> None:
        if sha256 not in self._used:
            self._used[sha256] = self._lock(f"{sha256}.use", fcntl.LOCK_SH)
        os.utime(self._used[sha256])  # its time says how recently the file was used

    def _make_room(self, size_bytes: int) -> bool:
        """Remove unused files, the least recently used first, until so much fits."""
        with self._locked("room"):
            found = _sizes(self.folder / FILES)
            total = sum(found.values())
            for path in sorted(found, key=self._last_use):
                abandoned = path.name.startswith(".")
                if (abandoned or total + size_bytes > self.max_bytes) and self._remove(path):
                    total -= found[path]
            return total + size_bytes <= self.max_bytes

    def _remove(self, path: Path) -> bool:
        """Delete a file that no process uses or brings; False where one does."""
        digest = path.name.split(".")[1] if path.name.startswith(".") else path.name
        kind = "fetch" if path.name.startswith(".") else "use"
        try:
            descriptor = self._lock(f"{digest}.{kind}", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        log.info("%s: removed from the machine's cache", path)
        return True

    def _last_use(self, path: Path) -> float:
        lock = self.folder / LOCKS / f"{path.name}.use"
        return lock.stat().st_mtime if lock.exists() else 0.0

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        descriptor = self._lock(name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, name: str, kind: int) -> int:
        """A descriptor that holds the lock until it is closed."""
        folder = self.folder / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, kind)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _close(used: dict[str, int]) -> None:
    for descriptor in used.values():
        os.close(descriptor)


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _sizes(folder: Path) -> dict[Path, int]:
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            found[path] = path.stat().st_size
        except FileNotFoundError:  # another process has just renamed what it brought
            continue
    return found


def _mark(path: Path, found: os.stat_result) -> list[object]:
    return [str(path), found.st_size, found.st_mtime_ns, found.st_ino]
