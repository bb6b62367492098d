"""One digest for a file or a folder that comes from outside, so that changed content is new work."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.store import sha256_of


def files_of(source: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """name -> path of a file, or of the files below a folder (hidden ones left out), sorted by name.

    `names`: those of the folder's files alone, where they are there.
    """
    if source.is_file():
        return {source.name: source}
    if names:
        return {name: source / name for name in sorted(names) if (source / name).is_file()}
    paths = (path for path in source.rglob("*") if path.is_file())
    named = {path.relative_to(source).as_posix(): path for path in paths}
    return {name: named[name] for name in sorted(named) if not any(part.startswith(".") for part in name.split("/"))}


def digest_of(source: Path) -> str:
    """SHA-256 of a file; of a folder, of its listing."""
    return sha256_of(source) if source.is_file() else digest_of_listing(files_of(source))


def digest_of_listing(files: Mapping[str, Path]) -> str:
    """SHA-256 of the sorted lines `SHA-256  name`."""
    lines = (f"{sha256_of(path)}  {name}\n" for name, path in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
