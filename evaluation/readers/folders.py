"""Finding published files under a folder, their text, and one error for all that is wrong with a file."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from evaluation.records import DataError, Example, Parts

log = logging.getLogger(__name__)
SHOWN_PLACES, SHOWN_CHARACTERS = 5, 300
REPLACEMENT = "\ufffd"
# How files begin that stand in a benchmark file's place.
NOT_DATA = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer: wanted the file itself (git lfs pull)",
    b"<!doctype html": "an HTML page: wanted the file itself",
    b"<html": "an HTML page: wanted the file itself",
    b"\xff\xfe": "UTF-16: wanted UTF-8",
    b"\xfe\xff": "UTF-16: wanted UTF-8",
    b"PK\x03\x04": "a zip archive: wanted the file in it",
    b"\x1f\x8b": "a gzip archive: wanted the file in it",
    b"BZh": "a bzip2 archive: wanted the file in it",
    b"\xfd7zXZ": "an xz archive: wanted the file in it",
    b"PAR1": "Parquet: wanted the text file that its authors publish",
}


class Problems:
    """What is wrong with one file, gathered so that one reading names every bad line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: list[tuple[str, str]] = []

    def add(self, place: str, said: str) -> None:
        """`place` is "line 3" or "question 'x'"; `said` is what was found and what was wanted."""
        self._found.append((shortened(place), shortened(said)))

    def check(self) -> None:
        """Raises DataError with the first problem in full and the places of others."""
        if not self._found:
            return
        place, said = self._found[0]
        others = [other for other, _ in self._found[1:]]
        more = ""
        if others:
            places = ", ".join(others[:SHOWN_PLACES]) + (", ..." if len(others) > SHOWN_PLACES else "")
            more = f" ({len(others)} more: {places})"
        raise DataError(f"{self.path} {place}: {said}{more}")


def shortened(said: str) -> str:
    """Without the middle of what is long, as a value of a file that is one line."""
    half = SHOWN_CHARACTERS // 2
    return said if len(said) <= 2 * half else f"{said[:half]} ... {said[-half:]}"


def benchmark_folder(data: Path, names: Sequence[str]) -> Path:
    """DATA/NAME for the first name that is there, else DATA itself (the benchmark's own folder was given)."""
    for name in names:
        if (data / name).is_dir():
            return data / name
    return data


def find(folder: Path, *names: str) -> Path | None:
    """The first of the names that lies in the folder or below it; upper and lower case are equal; no hidden file.

    Among files of one name the one with the fewest folders above it is taken.
    """
    below = sorted((path for path in folder.rglob("*") if _is_shown(path)), key=lambda path: (len(path.parts), path))
    for name in names:
        parts = tuple(part.lower() for part in Path(name).parts)
        for path in below:
            if tuple(part.lower() for part in path.parts[-len(parts) :]) == parts:
                return path
    return None


def need(folder: Path, *names: str) -> Path:
    """As find.  Raises DataError."""
    found = find(folder, *names)
    if found is None:
        raise DataError(f"{folder / names[0]}: no such file: put the benchmark's published file there")
    return found


def matching(folder: Path, pattern: str) -> list[Path]:
    """Files in the folder or below whose name fits the pattern, in the order of their names; no hidden file."""
    return sorted((path for path in folder.rglob(pattern) if _is_shown(path)), key=lambda path: (path.name, path))


def _is_shown(path: Path) -> bool:
    """A file, and not one such as macOS's `._eng_Latn.jsonl` in unpacked archives."""
    return path.is_file() and not path.name.startswith(".")


def by_language(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Language -> its file.  Raises DataError where a language has two, as in two releases below one folder."""
    files: dict[str, Path] = {}
    for language, path in found:
        if language in files:
            raise DataError(f"{path}: {files[language]} is also {language}: wanted one of them in this folder")
        files[language] = path
    return files


def merged(paths: Iterable[Path], read: Callable[[Path], Parts]) -> dict[str, tuple[Example, ...]]:
    """The parts of all files.  Raises DataError where two files have the same part, as two releases do."""
    parts: dict[str, tuple[Example, ...]] = {}
    files: dict[str, Path] = {}
    for path in paths:
        found = read(path)
        by_language([*files.items(), *((name, path) for name in found)])
        files |= dict.fromkeys(found, path)
        parts |= found
    return parts


def read_text(path: Path, *, latin_1: bool = False) -> str:
    """UTF-8 with or without a mark.  A broken byte becomes U+FFFD and is logged.  Raises DataError for what is no text.

    A file that has more broken bytes than UTF-8 letters is in another encoding: an error, or, with `latin_1`, read as
    Latin-1 (CoNLL as first published).
    """
    data = path.read_bytes()
    for beginning, said in NOT_DATA.items():
        if data[: len(beginning)].lower() == beginning.lower():
            raise DataError(f"{path} line 1: {said}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        replaced = data.decode("utf-8-sig", "replace")
        broken = replaced.count(REPLACEMENT)
        letters = sum(1 for character in replaced if ord(character) > 127) - broken
        if latin_1 and broken > letters:
            return data.decode("latin-1")
        line = data[: error.start].count(b"\n") + 1
        if broken > letters:
            raise DataError(f"{path} line {line}: {broken} bytes are not UTF-8, {letters} letters are: wanted the file "
                            "in UTF-8, as published (Latin-1: iconv -f latin1 -t utf-8)") from error  # fmt: skip
        log.warning("%s line %d: %d bytes are not UTF-8: read as U+FFFD", path, line, broken)
        return replaced


def lines_of(path: Path, *, latin_1: bool = False) -> list[tuple[int, str]]:
    """(number from 1, line).  Only a line feed ends a line: U+0085, U+2028 and form feeds are characters here.

    Raises DataError where nothing but carriage returns ends lines, as on old Macintoshes.
    """
    text = read_text(path, latin_1=latin_1)
    if "\n" not in text and "\r" in text.rstrip("\r"):
        raise DataError(f"{path} line 1: lines end with a carriage return alone: wanted line feeds (tr '\\r' '\\n')")
    lines = text.split("\n")
    return [(number, line.removesuffix("\r")) for number, line in enumerate(lines, 1)]


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over names and bytes of files, 16 letters: the same files give the same one, wherever they lie."""
    total = hashlib.sha256()
    for name, path in sorted((path.name, path) for path in paths):
        with path.open("rb") as file:
            total.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]
