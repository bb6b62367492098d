"""Tab-separated files, by column name or by place; short rows and unknown labels are errors with their line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from evaluation.readers.folders import Problems, lines_of, shortened
from evaluation.records import Classified, DataError

Quoting = Literal["never", "csv", "records"]
Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: tuple[str, ...]


def read_rows(path: Path, columns: int, quoting: Quoting, *, exactly: bool = False) -> list[Row]:
    """Rows with at least `columns` values, or `exactly` so many: a tab in a text moves a label to another column.
    What is empty beyond them is no value.  Empty lines are left out.  Raises DataError.

    `never`: a quotation mark is a character (GLUE, XNLI).  `csv`: fields that csv.writer quoted are unquoted, others
    keep their marks, so that a file with lone marks loses no row (XTREME's files are written both ways).
    `records`: as csv.writer writes, so that a quoted field may hold line feeds and tabs (Belebele's training set).
    """
    if quoting == "records":
        rows = _records(path)
    else:
        rows = [Row(number, tuple(line.split("\t"))) for number, line in lines_of(path) if line.strip(" \t\r")]
    if quoting == "csv":
        every = all(_is_quoted(value) for row in rows for value in row.values)
        rows = [Row(row.line, tuple(_unquoted(value, every) for value in row.values)) for row in rows]
    problems = Problems(path)
    for row in rows:
        if len(row.values) < columns or (exactly and any(value.strip() for value in row.values[columns:])):
            problems.add(f"line {row.line}", f"{len(row.values)} columns, wanted {columns}")
    problems.check()
    if not rows:
        raise DataError(f"{path}: no row: wanted {columns} columns")
    return rows


def _records(path: Path) -> list[Row]:
    """Lines until the marks pair, then the fields; a record's line is its first.  Raises DataError."""
    rows, held, first = list[Row](), list[str](), 0
    marks = 0
    for number, line in lines_of(path):
        first = first if held else number
        held.append(line)
        marks += line.count('"')
        if marks % 2:
            continue
        if "".join(held).strip(" \t\r"):
            rows.append(Row(first, _fields(path, first, "\n".join(held))))
        held.clear()
    if held:
        raise DataError(f"{path} line {first}: a quotation mark that nothing closes")
    return rows


def _fields(path: Path, line: int, record: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([record.replace("\r", " ")], delimiter="\t", strict=True)))
    except csv.Error as error:
        said = (
            f"a field longer than {csv.field_size_limit()} letters"
            if "limit" in str(error)
            else "a lone quotation mark"
        )
        raise DataError(f"{path} line {line}: {said}: wanted fields as csv.writer quotes them") from error


def _is_quoted(value: str) -> bool:
    """Begins and ends with a mark, and every mark inside is doubled."""
    return len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1].replace('""', "")


def _unquoted(value: str, every: bool) -> str:
    """csv.writer quotes only what holds a mark, unless it quotes everything: `"yes"` alone keeps its marks."""
    if _is_quoted(value) and (every or '""' in value[1:-1]):
        return value[1:-1].replace('""', '"')
    return value


def read_table(
    path: Path,
    wanted: Sequence[str],
    *,
    quoting: Quoting = "never",
    left_out: Counter[str] | None = None,
) -> list[tuple[int, dict[str, str]]]:
    """(line, column name -> value).  A row shorter or longer than its header is an error, or is counted in `left_out`.
    Raises DataError."""
    header = header_of(path)
    missing = [name for name in wanted if name not in header]
    if missing:
        found = f"header {', '.join(header)}" if any(header) else "no header"
        raise DataError(f"{path} line 1: {shortened(found)}: wanted also {', '.join(missing)}")
    if twice := [name for name in wanted if header.count(name) > 1]:
        raise DataError(f"{path} line 1: two columns {', '.join(twice)}: wanted one of each name")
    counted = left_out is not None
    rows = read_rows(path, 0 if counted else len(header), quoting, exactly=not counted)[1:]
    named = []
    for row in rows:
        beyond = any(value.strip() for value in row.values[len(header) :])
        if left_out is not None and (beyond or len(row.values) < len(header)):
            left_out[f"{path.name}: {'more' if beyond else 'fewer'} columns than the header"] += 1
            continue
        named.append((row.line, dict(zip(header, row.values, strict=False))))
    if not named:
        raise DataError(f"{path}: a header and no row below it")
    return named


def header_of(path: Path) -> list[str]:
    """The columns of the first line that is not empty."""
    lines = (line for _, line in lines_of(path) if line.strip(" \t\r"))
    return next(lines, "").split("\t")


def classified(
    path: Path, rows: Iterable[tuple[int, str, str | None, str]], labels: Mapping[str, str]
) -> tuple[Classified, ...]:
    """(line, first, second, label) as examples.  `labels` maps what a file may say to the benchmark's label."""
    problems, examples = Problems(path), []
    for line, first, second, label in rows:
        if label not in labels:
            said = f"label {label!r}" if label.strip() else "no label"
            problems.add(f"line {line}", f"{said}: wanted {' or '.join(dict.fromkeys(labels.values()))}")
        elif not first.strip() and not (second or "").strip():
            problems.add(f"line {line}", "no text")
        else:
            examples.append(Classified(first, second, labels[label]))
    problems.check()
    return tuple(examples)


def read_classified(
    path: Path,
    columns: tuple[str, str | None, str],
    labels: Mapping[str, str],
    *,
    quoting: Quoting = "never",
    left_out: Counter[str] | None = None,
) -> tuple[Classified, ...]:
    """A table with a header: names of the first text's, the second text's and the label's column."""
    first, second, label = columns
    wanted = [name for name in columns if name]
    rows = read_table(path, wanted, quoting=quoting, left_out=left_out)
    parts = ((line, row[first], row[second] if second else None, row[label]) for line, row in rows)
    return classified(path, parts, labels)


def read_pairs_without_header(path: Path, labels: Mapping[str, str]) -> tuple[Classified, ...]:
    """XTREME's layout: first text, second text, label.  A file without labels is an error: it cannot be scored."""
    return classified(path, rows_without_header(path), labels)


def rows_without_header(path: Path) -> list[tuple[int, str, str, str]]:
    """(line, first text, second text, label) of XTREME's layout."""
    rows = read_rows(path, 2, "csv")
    if all(len(row.values) == 2 for row in rows):
        raise DataError(f"{path}: two columns and no label in {len(rows)} rows: wanted the file with its labels "
                        "(XTREME's scripts take those of test sets off)")  # fmt: skip
    rows = read_rows(path, 3, "csv", exactly=True)
    return [(row.line, row.values[0], row.values[1], row.values[2]) for row in rows]


def held_out(examples: Sequence[Held], every: int = 10) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """(train, held out): each `every`th example selects the epoch where the published dev set is what is scored."""
    kept = tuple(example for index, example in enumerate(examples) if index % every)
    return kept, tuple(examples[::every])
