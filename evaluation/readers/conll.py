"""CoNLL columns: a word a line, its tag last, an empty line after a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from evaluation.readers.folders import Problems, lines_of
from evaluation.records import DataError, Tagged

DOCUMENT_START = "-DOCSTART-"
# Only these part columns: a no-break space, U+0085 or U+2028 is part of a word.
BETWEEN_COLUMNS = re.compile(r"[ \t]+")
WIKIANN_PREFIX = re.compile(r"[a-z][a-z-]{1,11}:")
# Universal NER: neither counts as an entity (its own conversion does the same).
NO_ENTITY_TYPES = ("OTH", "O")


def tags_of(types: Sequence[str]) -> tuple[str, ...]:
    """O, and B- and I- of each type."""
    return ("O", *(f"{part}-{kind}" for kind in types for part in "BI"))


def read_conll(path: Path, types: Sequence[str], *, word: int = 0, tag: int = -1) -> tuple[Tagged, ...]:
    """Words and tags (columns `word` and `tag`) as IOB2.  Raises DataError for a line without a tag or an unknown tag.

    A -DOCSTART- line is left out, not the sentence behind it; so are Universal NER's comment lines.
    """
    allowed = {*tags_of(types), *(f"{part}-{kind}" for part in "BI" for kind in NO_ENTITY_TYPES if word)}
    problems, sentences = Problems(path), []
    words: list[str] = []
    tags: list[str] = []
    rows = list(_rows(path, allowed, numbered=word > 0))
    wanted_columns = 0 if word else _columns_of_file(rows)
    for number, columns in [*rows, (0, [])]:
        if not columns or columns[0] == DOCUMENT_START:
            if words:
                sentences.append(Tagged(tuple(words), to_iob2(tags)))
            words, tags = [], []
        elif word and words and columns[0] == "1":
            problems.add(f"line {number}", "word 1 within a sentence: wanted an empty line before it")
        elif any("\r" in column for column in columns):
            problems.add(f"line {number}", f"{'  '.join(columns)!r}: a carriage return: wanted one word a line")
        elif len(columns) <= max(word + 1, tag):
            problems.add(f"line {number}", f"{columns[-1]!r} has no tag: wanted a word and its tag")
        elif columns[tag] not in allowed:
            problems.add(f"line {number}", f"tag {columns[tag]!r}: wanted {', '.join(tags_of(types))}")
        elif wanted_columns and len(columns) != wanted_columns:
            problems.add(f"line {number}", f"{len(columns)} columns, other lines have {wanted_columns}")
        else:
            words.append(columns[word])
            tags.append("O" if columns[tag][2:] in NO_ENTITY_TYPES else columns[tag])
    problems.check()
    if not sentences:
        raise DataError(f"{path}: no sentence: wanted lines of words and tags")
    return tuple(sentences)


def _rows(path: Path, allowed: Container[str], *, numbered: bool) -> Iterator[tuple[int, list[str]]]:
    """(line, columns); none for an empty line.  Comments of files with numbered words are left out."""
    for number, line in lines_of(path, latin_1=True):
        columns = columns_of(line)
        if not numbered and line[:1] in (" ", "\t") and len(columns) == 1 and columns[0] in allowed:
            columns = ["", *columns]  # MasakhaNER 2.0's Xhosa and XTREME's PAN-X have such lines: an empty word
        if not numbered or not line.startswith("#") or "\t" in line:
            yield number, columns


def _columns_of_file(rows: Sequence[tuple[int, list[str]]]) -> int:
    """How many columns most lines have, where they are more than a word and its tag (CoNLL): in a shorter line another
    column would be taken for the tag.  Else 0: a word of two columns may hold a space (MasakhaNER)."""
    counts = Counter(len(columns) for _, columns in rows if columns and columns[0] != DOCUMENT_START)
    most = counts.most_common(1)[0][0] if counts else 0
    return most if most > 2 else 0


def columns_of(line: str) -> list[str]:
    """Parted by tabs where the line has one, else by spaces."""
    stripped = line.strip(" \t\r")
    if not stripped:
        return []
    return [part.strip(" ") for part in stripped.split("\t")] if "\t" in stripped else BETWEEN_COLUMNS.split(stripped)


def without_wikiann_prefix(sentences: Sequence[Tagged]) -> tuple[Tagged, ...]:
    """WikiANN writes `en:word`; taken off where most words of the file have the same one."""
    words = [word for sentence in sentences for word in sentence.words]
    found = Counter(match.group() for word in words if (match := WIKIANN_PREFIX.match(word)))
    prefix, times = found.most_common(1)[0] if found else ("", 0)
    if 2 * times <= len(words):
        return tuple(sentences)
    return tuple(
        Tagged(tuple(word.removeprefix(prefix) for word in sentence.words), sentence.tags) for sentence in sentences
    )


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """IOB1 or IOB2 to IOB2: an I- that begins an entity becomes B-."""
    fixed, before = [], "O"
    for tag in tags:
        if tag.startswith("I-") and (before == "O" or before[2:] != tag[2:]):
            tag = f"B-{tag[2:]}"
        fixed.append(tag)
        before = tag
    return tuple(fixed)
