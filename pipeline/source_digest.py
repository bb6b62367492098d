"""One digest for a file or a folder that comes from outside, so that changed content is new work."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.store import sha256_of


def files_of(source: Path) -> dict[str, Path]:
    """name -> path of a file, or of the files below a folder (hidden ones left out), sorted by name."""
    if source.is_file():
        return {source.name: source}
    paths = (path for path in source.rglob("*") if path.is_file())
    named = {path.relative_to(source).as_posix(): path for path in paths}
    return {name: named[name] for name in sorted(named) if not any(part.startswith(".") for part in name.split("/"))}


def digest_of(source: Path) -> str:
    """SHA-256 of a file; of a folder, of its sorted lines `SHA-256  name`."""
    if source.is_file():
        return sha256_of(source)
    lines = (f"{sha256_of(path)}  {name}\n" for name, path in files_of(source).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
