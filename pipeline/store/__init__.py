"""The object store: `file://` on one machine, `s3://` on a cluster, behind one small class.

A file is published by one rename (disk) or one put (S3), so a reader never sees half of it.  `put_if_absent` is
the commit: exactly one of several writers wins.  A writer whose reply was lost reads back what stands and finds
its own attempt in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import BadConfig
from pipeline.machine_cache import MachineCache
from pipeline.store.disk import FileStore
from pipeline.store.interface import ArtifactStore, Entry, sha256_of, unit_prefix

__all__ = ["ArtifactStore", "Entry", "FileStore", "open_store", "sha256_of", "unit_prefix"]

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
WANTED = "wanted file:///folder, a plain folder, or s3://bucket/prefix"


def open_store(root: str, cache: MachineCache | None = None) -> ArtifactStore:
    """The store at a URI: file:///folder, a plain folder, or s3://bucket/prefix.  Raises BadConfig."""
    if root.startswith("s3://"):
        from pipeline.store_s3 import S3Store

        return S3Store(root, cache)
    return FileStore(_folder(root), cache)


def _folder(root: str) -> Path:
    if not root or root.startswith("~"):
        raise BadConfig(f"{root!r} is no store: {WANTED} ('~' is not expanded here)")
    if not SCHEME.match(root):
        return Path(root)
    parts = urlsplit(root)
    if parts.scheme != "file":
        raise BadConfig(f"{root!r} is no store: {WANTED}")
    if parts.netloc not in ("", "localhost"):
        raise BadConfig(f"{root!r} names the host {parts.netloc!r}, not a folder: wanted three slashes, "
                        f"file:///{parts.netloc}{parts.path}, or another absolute folder")  # fmt: skip
    if not parts.path.startswith("/"):
        raise BadConfig(f"{root!r} is relative: wanted file:// and an absolute folder, e.g. file:///data/store")
    if parts.query or parts.fragment:
        raise BadConfig(f"{root!r}: '?' and '#' end a URI's path: write %3F and %23 or choose another folder")
    return Path(unquote(parts.path))
