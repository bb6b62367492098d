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
        if isinstance(self.store, FileStore):
            return
        present = {p.relative_to(self.folder).as_posix(): p.stat().st_mtime_ns for p in _files(self.folder)}
        for name in sorted(set(self._sent) - set(present), key=lambda n: -self._sent[n]):
            self.store.delete(f"{self.prefix}/{name}")
            del self._sent[name]
        for name, changed in sorted(present.items(), key=lambda item: (item[1], item[0])):
            if self._sent.get(name) != changed:
                copy = self.folder.parent / uuid.uuid4().hex  # upload() takes the file away
                shutil.copyfile(self.folder / name, copy)
                self.store.upload(copy, f"{self.prefix}/{name}")
                self._sent[name] = changed

    def _restore(self) -> None:
        for key in self.store.list(f"{self.prefix}/"):
            name = key.removeprefix(f"{self.prefix}/")
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.store.local(key), target)
            self._sent[name] = target.stat().st_mtime_ns


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
