"""The folder of a long unit (a training run's checkpoints) that a later attempt, perhaps elsewhere, goes on from."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from pipeline.store import ArtifactStore, FileStore


class State:
    """`folder` holds what earlier attempts kept; `keep()` makes what is in it now outlive this machine.

    On a disk store the folder is the kept one itself.  On S3 files are sent oldest first and removed newest first:
    a checkpoint writes its marker last, so a half-sent one has no marker.
    """

    def __init__(self, store: ArtifactStore, prefix: str, scratch: Path) -> None:
        self.store = store
        self.prefix = prefix
        self._sent: dict[str, int] = {}  # name -> modification time, ns
        if isinstance(store, FileStore):
            self.folder = store.folder / prefix
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            self.folder = scratch
            self._restore()

    def keep(self) -> None:
        """Send what is new.  The folder is in use meanwhile: a file that vanishes was not to be kept."""
        if isinstance(self.store, FileStore):
            return
        present = _modified(self.folder)
        for name in sorted(set(self._sent) - set(present), key=lambda n: -self._sent[n]):
            self.store.delete(f"{self.prefix}/{name}")
            del self._sent[name]
        for name, changed in sorted(present.items(), key=lambda item: (item[1], item[0])):
            if self._sent.get(name) != changed:
                copy = self.folder.parent / uuid.uuid4().hex  # upload() takes the file away
                try:
                    shutil.copyfile(self.folder / name, copy)
                except FileNotFoundError:
                    continue
                self.store.upload(copy, f"{self.prefix}/{name}")
                self._sent[name] = changed

    def _restore(self) -> None:
        for key in self.store.list(f"{self.prefix}/"):
            name = key.removeprefix(f"{self.prefix}/")
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.store.local(key), target)
            self._sent[name] = target.stat().st_mtime_ns


def _modified(folder: Path) -> dict[str, int]:
    """name -> modification time (ns) of the files below, those being written (hidden) left out."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        try:
            if path.is_file():
                found[name] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found
