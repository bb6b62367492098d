"""The object store: `file://` on one machine, `s3://` on a cluster, behind one small class.

A file is published by one rename (disk) or one put (S3), so a reader never sees half of it.  `put_if_absent` is
the commit: exactly one of several writers wins.  A writer whose reply was lost reads back what stands and finds
its own attempt in it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipeline.errors import BadConfig, CorruptArtifact, MissingArtifact
from pipeline.manifest import Artifact, Manifest

if TYPE_CHECKING:
    from pipeline.store_s3 import S3Store

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20


class ArtifactStore(ABC):
    """Immutable objects under keys relative to `root` (a URI without a trailing slash)."""

    root: str

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The whole object.  Raises MissingArtifact."""

    @abstractmethod
    def exists(self, key: str) -> bool: ...

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Publish unless the key stands.  True if this call's bytes are what stands now."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Publish, replacing what stands (for progress and pointers, never for artifacts)."""

    @abstractmethod
    def upload(self, path: Path, key: str) -> None:
        """Publish a local file whole.  The file may be moved: do not use it afterwards."""

    @abstractmethod
    def local(self, key: str) -> Path:
        """A local path with the object's bytes (a download where the store is not a disk)."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, sorted."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is not there."""

    @abstractmethod
    def scratch(self) -> Path:
        """A new empty local folder, near the store where that saves a copy."""

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}"

    def key(self, uri: str) -> str:
        """The key of a URI under this root (a bare key is taken as it is).  Raises BadConfig for another root."""
        if "://" not in uri:
            return uri.lstrip("/")
        if not uri.startswith(self.root + "/"):
            raise BadConfig(f"{uri} is not under the store {self.root}: pass --store or the right URI")
        return uri[len(self.root) + 1 :]

    def manifest(self, uri: str) -> Manifest:
        """Read a manifest by URI or key.  Raises MissingArtifact."""
        return Manifest.from_json(self.get(self.key(uri)))

    def open(self, artifact: Artifact) -> Path:
        """A local path to an artifact whose size and digest were checked.  Raises CorruptArtifact."""
        path = self.local(artifact.key)
        size = path.stat().st_size
        if size != artifact.size_bytes:
            raise CorruptArtifact(
                f"{self.uri(artifact.key)}: {size} bytes, its manifest says {artifact.size_bytes}. "
                "Delete the manifest beside it and run the stage again."
            )
        digest = sha256_of(path)
        if digest != artifact.sha256:
            raise CorruptArtifact(
                f"{self.uri(artifact.key)}: SHA-256 {digest[:12]}…, its manifest says {artifact.sha256[:12]}…. "
                "Delete the manifest beside it and run the stage again."
            )
        return path


class FileStore(ArtifactStore):
    """A folder.  Writes go aside, are flushed, and are renamed (or linked, where only one may win)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.root = self.folder.as_uri()

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise MissingArtifact(f"{self.uri(key)}: not in the store") from error

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
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
        os.replace(self._write_aside(path, data), path)

    def upload(self, path: Path, key: str) -> None:
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        if path.stat().st_dev != target.parent.stat().st_dev:
            aside = target.parent / f".{target.name}.{uuid.uuid4().hex}"
            shutil.copyfile(path, aside)
            path = aside
        os.replace(path, target)
        _flush_folder(target.parent)

    def local(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise MissingArtifact(f"{self.uri(key)}: not in the store")
        return path

    def list(self, prefix: str) -> Iterator[str]:
        start = self._path(prefix) if prefix else self.folder
        folder = start if start.is_dir() else start.parent
        if not folder.is_dir():
            return
        paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        keys = (path.relative_to(self.folder).as_posix() for path in paths)
        yield from sorted(key for key in keys if key.startswith(prefix) and not key.startswith(".scratch/"))

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def scratch(self) -> Path:
        folder = self.folder / ".scratch" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def _path(self, key: str) -> Path:
        path = self.folder / key
        if ".." in Path(key).parts:
            raise BadConfig(f"{key!r} leaves the store: a key has no '..'")
        return path

    def _write_aside(self, path: Path, data: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".{path.name}.{uuid.uuid4().hex}"
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return aside


def open_store(root: str) -> ArtifactStore:
    """The store at a URI: file:///folder, a plain folder, or s3://bucket/prefix.  Raises BadConfig."""
    parts = urlsplit(root)
    if parts.scheme == "s3":
        return _open_s3(root)
    if parts.scheme == "file":
        return FileStore(Path(unquote(parts.path)))
    if "://" not in root and root:
        return FileStore(Path(root))
    raise BadConfig(f"{root!r} is no store: wanted file:///folder or s3://bucket/prefix")


def _open_s3(root: str) -> S3Store:
    from pipeline.store_s3 import S3Store

    return S3Store(root)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
