"""A benchmark's files as their authors publish them: where they are, what digest they have, where readers find them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file, or an archive (zip, tar), of one URL.

    `path`: where the file lies below the data folder; of an archive, the folder of what is taken from it.
    `members`: an archive's wanted files, as patterns for the last parts of their paths (case is ignored); they keep
    these parts below `path`, and each pattern must fit one.
    `git_blob`: git's own digest at a commit (SHA-1), of a file whose SHA-256 and size nobody states.
    """

    url: str
    size_bytes: int
    sha256: str
    path: str
    members: tuple[str, ...] = ()
    git_blob: str = ""

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PublishedFiles:
    """All files of a benchmark that can be downloaded.

    `by_hand`: what cannot, as a sentence that says what to get and where to put it; "" where nothing is missing.
    `is_enough`: whether the files alone can be scored.  `make` makes, in the data folder, what readers want and the
    authors' own script makes of the files.
    """

    files: tuple[PublishedFile, ...] = ()
    by_hand: str = ""
    is_enough: bool = True
    make: Callable[[Path], None] | None = None

    @property
    def size_bytes(self) -> int:
        """Of the downloads; a file of unknown size counts as nothing."""
        return sum(file.size_bytes for file in self.files)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(urlsplit(file.url).netloc for file in self.files))

    @property
    def can_be_downloaded(self) -> bool:
        """Whether something can be scored with what is downloaded alone."""
        return bool(self.files) and self.is_enough

    @property
    def digest(self) -> str:
        """Tells this list of files from any other, 16 letters."""
        lines = (f"{f.url}\t{f.sha256}\t{f.git_blob}\t{f.path}\t{'|'.join(f.members)}\n" for f in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def in_repository(
    repository: str, commit: str, rows: Iterable[tuple[str, int, str]], folder: str, keep: int = 1
) -> tuple[PublishedFile, ...]:
    """Files of a GitHub repository at a commit: (path there, size in bytes, SHA-256).

    They lie below `folder` under the last `keep` parts of their paths.
    """
    base = f"https://raw.githubusercontent.com/{repository}/{commit}"
    return tuple(
        PublishedFile(f"{base}/{path}", size, sha256, "/".join((folder, *path.split("/")[-keep:])))
        for path, size, sha256 in rows
    )


def read_rows(table: Path) -> list[tuple[str, int, str]]:
    """A table of such files, for benchmarks that have many: path, size in bytes and SHA-256, tabs between."""
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    return [(path, int(size), sha256) for path, size, sha256 in rows]
