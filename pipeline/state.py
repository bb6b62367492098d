"""The folder of a long unit (a training run's checkpoints) that a later attempt, perhaps elsewhere, goes on from.

Each owner (pipeline/lease.py) works in a folder of its own generation.  It begins with what the earlier generation
left, so that an attempt which was taken over, and does not know it yet, writes where nobody reads.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline.errors import MissingArtifact
from pipeline.lease import Lease, generations
from pipeline.store import ArtifactStore, FileStore

log = logging.getLogger(__name__)

INDEX_SUFFIX = ".index"


class State(ABC):
    """`folder` holds what earlier attempts kept; `keep()` makes what is in it now outlive this machine."""

    folder: Path

    @abstractmethod
    def keep(self) -> None:
        """Keep what is new.  The folder is in use meanwhile: a file that vanishes was not to be kept.

        Raises TakenOver if another attempt owns the state now.
        """


def open_state(store: ArtifactStore, prefix: str, scratch: Path, lease: Lease, appended: Collection[str]) -> State:
    """The state of the lease's generation, with what the one before left."""
    if isinstance(store, FileStore):
        return DiskState(store.folder / prefix, lease, appended)
    return SentState(store, prefix, scratch, lease)


class DiskState(State):
    """The kept folder is the one that is worked in.

    Files of the earlier generation are linked, not copied: whole files are written aside and renamed, so nobody
    changes them.  `appended` names those that are changed where they stand: they are copied, as are hidden files
    (a download that goes on).  Hidden folders are left: their owner was still writing them.
    """

    def __init__(self, above: Path, lease: Lease, appended: Collection[str]) -> None:
        self.lease = lease
        self.folder = above / f"{lease.generation:05d}"
        earlier = [path for path in above.iterdir() if path.name.isdigit()] if above.is_dir() else []
        aside = above / f".{self.folder.name}.{uuid.uuid4().hex}"
        aside.mkdir(parents=True)
        if earlier:
            _take_over(max(earlier), aside, appended)
        aside.rename(self.folder)
        half_made = [path for path in above.glob(".?????.*") if path.name[1:6] < self.folder.name]
        for path in [*earlier, *half_made]:
            shutil.rmtree(path, ignore_errors=True)

    def keep(self) -> None:
        self.lease.check()


class SentState(State):
    """On S3 files are sent oldest first, under keys of this generation; then an index says which keys make the state.

    A checkpoint writes its marker last, so a half-sent one has no marker.  What another generation's index may
    still name is never overwritten, and removed only with the whole state.
    """

    def __init__(self, store: ArtifactStore, prefix: str, scratch: Path, lease: Lease) -> None:
        self.store, self.prefix, self.folder, self.lease = store, prefix, scratch, lease
        self._sent: dict[str, int] = {}  # name -> modification time, ns
        self._keys: dict[str, str] = {}  # name -> key
        self._restore()

    def keep(self) -> None:
        self.lease.check()
        present = _modified(self.folder)
        index = dict(self._keys)
        for name, changed in sorted(present.items(), key=lambda item: (item[1], item[0])):
            if self._sent.get(name) != changed and self._send(name):
                self._sent[name] = changed
        removed = [name for name in self._keys if name not in present]
        gone = [self._keys.pop(name) for name in removed]
        if self._keys != index:
            self.store.put(self._index_key(self.lease.generation), json.dumps(self._keys, sort_keys=True).encode())
        for name, key in zip(removed, gone, strict=True):
            self._sent.pop(name, None)
            if key.startswith(self._own_prefix):
                self.store.delete(key)

    @property
    def _own_prefix(self) -> str:
        return f"{self.prefix}/{self.lease.generation:05d}/"

    def _index_key(self, generation: int) -> str:
        return f"{self.prefix}/{generation:05d}{INDEX_SUFFIX}"

    def _send(self, name: str) -> bool:
        copy = self.folder.parent / uuid.uuid4().hex  # upload() takes the file away
        try:
            shutil.copyfile(self.folder / name, copy)
        except FileNotFoundError:
            return False
        self.store.upload(copy, self._own_prefix + name)
        self._keys[name] = self._own_prefix + name
        return True

    def _restore(self) -> None:
        for name, key in self._newest_index().items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.move(self.store.local(key), target)
            except MissingArtifact:
                log.warning("%s: gone from the kept state; going on without it", self.store.uri(key))
                continue
            self._keys[name] = key
            self._sent[name] = target.stat().st_mtime_ns

    def _newest_index(self) -> dict[str, str]:
        for generation in sorted(generations(self.store, f"{self.prefix}/"), reverse=True):
            try:
                found: dict[str, str] = json.loads(self.store.get(self._index_key(generation)))
                return found
            except MissingArtifact:  # its owner ended before it kept anything
                continue
        return {}


def _take_over(earlier: Path, target: Path, appended: Collection[str]) -> None:
    for name, path in _files(earlier):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.name.startswith(".") or name in appended:
                shutil.copyfile(path, place)
            else:
                _link(path, place)
        except FileNotFoundError:  # its owner, or what is left of it, has just removed it
            continue


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(path, place)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of the files below, those in hidden folders left out."""
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(above, name)
            yield path.relative_to(folder).as_posix(), path


def _modified(folder: Path) -> dict[str, int]:
    """name -> modification time (ns) of the files below, those being written (hidden) left out."""
    found = {}
    for name, path in _files(folder):
        if path.name.startswith("."):
            continue
        try:
            found[name] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found
