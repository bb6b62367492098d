"""What a store of artifacts promises, whatever lies behind it."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import BadConfig, CorruptArtifact, MissingArtifact
from pipeline.machine_cache import MachineCache
from pipeline.manifest import MANIFEST_NAME, SCHEMA, Artifact, Manifest

CHUNK_BYTES = 1 << 20
FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as the store's listing has it.  `modified` is in seconds by the store's own clock."""

    key: str
    size_bytes: int
    modified: float


class ArtifactStore(ABC):
    """Immutable objects under keys relative to `root` (a URI without a trailing slash)."""

    root: str
    cache: MachineCache

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
    def copy(self, key: str, target: str) -> None:
        """Publish an object under a second key, without moving its bytes through this machine."""

    @abstractmethod
    def local(self, key: str) -> Path:
        """A local path with the object's bytes (a download where the store is not a disk)."""

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Entry]:
        """All that begins with `prefix`, files being written included, in no order."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, sorted."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is not there."""

    @abstractmethod
    def delete_folder(self, key: str) -> None:
        """Remove all objects below `key`/; nothing happens if there are none."""

    @abstractmethod
    def remove_unfinished_writes(self, before: float) -> Iterator[Entry]:
        """Remove, and yield, what killed writers left half-written before that time."""

    @abstractmethod
    def scratch(self) -> Path:
        """A new empty local folder, near the store where that saves a copy."""

    @abstractmethod
    def scratch_folders(self) -> Iterator[Path]:
        """The scratch folders on this machine (or this disk), those of ended processes included."""

    @abstractmethod
    def now(self) -> float:
        """The time by the clock that `Entry.modified` is measured with, in seconds."""

    @abstractmethod
    def open_shared(self, artifact: Artifact) -> Path:
        """As `open`, for what many processes of a machine read: brought and checked once a machine."""

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
        """Read a manifest by URI or key.  Raises MissingArtifact or CorruptArtifact."""
        key = self.key(uri)
        data = self.get(key)
        try:
            manifest = Manifest.from_json(data)
        except ValidationError as error:
            fault = error.errors()[0]
            found = f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() if data else "0 bytes"
            raise CorruptArtifact(f"{self.uri(key)}: no readable manifest ({found}). {self.remedy(key)}") from error
        if manifest.format != SCHEMA:
            raise CorruptArtifact(
                f"{self.uri(key)}: a manifest of format {manifest.format}, this version reads {SCHEMA}. "
                f"Use the version that wrote it. {self.remedy(key)}"
            )
        return manifest

    def open(self, artifact: Artifact) -> Path:
        """A local path to an artifact whose size and digest were checked.  Raises MissingArtifact, CorruptArtifact."""
        with self.listed(artifact):
            path = self.local(artifact.key)
        self.check(path, artifact)
        return path

    @contextmanager
    def listed(self, artifact: Artifact) -> Iterator[None]:
        """What is missing inside was promised by a manifest: say what to do."""
        try:
            yield
        except MissingArtifact as error:
            raise MissingArtifact(f"{error}, though a manifest lists it. {self.remedy(artifact.key)}") from error

    def check(self, path: Path, artifact: Artifact) -> None:
        """Raises CorruptArtifact unless the local file has the artifact's size and digest."""
        size = path.stat().st_size
        if size != artifact.size_bytes:
            raise CorruptArtifact(
                f"{self.uri(artifact.key)}: {size} bytes, its manifest says {artifact.size_bytes}. "
                f"{self.remedy(artifact.key)}"
            )
        digest = sha256_of(path)
        if digest != artifact.sha256:
            raise CorruptArtifact(
                f"{self.uri(artifact.key)}: SHA-256 {digest[:12]}…, its manifest says {artifact.sha256[:12]}…. "
                f"{self.remedy(artifact.key)}"
            )

    def remedy(self, key: str) -> str:
        """What a person does about a broken object: which folder to delete, which command to run."""
        prefix = unit_prefix(key)
        if not prefix:
            return f"Delete the {MANIFEST_NAME} that lists it and run its stage again."
        stage, _, rest = prefix.partition("/")
        unit = rest.rpartition("/")[0]
        return f"Delete the folder {self.uri(prefix)} and run `xlmr run {stage} --unit {unit}` again."


def unit_prefix(key: str) -> str:
    """STAGE/UNIT/FINGERPRINT of a key below it; "" for a key that lies elsewhere (a published release)."""
    parts = key.split("/")
    for index, part in enumerate(parts):
        if index >= 2 and FINGERPRINT.fullmatch(part):
            return "/".join(parts[: index + 1])
    return ""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
