"""JSON in published files: one value a file, or one a line; what is wrong is said in the file's terms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from evaluation.readers.folders import Problems, lines_of, read_text
from evaluation.records import DataError


def json_value(text: str, repeated: list[str] | None = None) -> Any:
    """Raises ValueError, which says what is wrong and where.  `repeated` gets the names that an object has twice."""
    if not text.strip():
        raise ValueError("empty")

    def joined(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(name for name, _ in pairs)
        if repeated is not None:
            repeated.extend(name for name, times in counts.items() if times > 1)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=None if repeated is None else joined)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if error.lineno > 1 else ""
        raise ValueError(f"no JSON from {line}column {error.colno} on") from error
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
    except ValueError as error:
        raise ValueError("JSON with a number of too many digits") from error


def read_json(path: Path, wanted: str, repeated: list[str] | None = None) -> Any:
    """The file's value, as json_value.  Raises DataError."""
    try:
        return json_value(read_text(path), repeated)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{path}: {error}: wanted {wanted}") from error


def json_rows(path: Path, problems: Problems, wanted: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, object) of a file with a JSON object a line; other lines are problems, empty ones are left out."""
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            row = json_value(line)
        except ValueError as error:
            problems.add(f"line {number}", f"{error}: wanted {wanted}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.add(f"line {number}", f"{kind_of(row)}: wanted {wanted}")


def kind_of(value: object) -> str:
    """What JSON calls it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
    return kinds.get(type(value), "nothing")


def found_in(holder: object, name: str) -> str:
    """What stands under a name, for a message."""
    if not isinstance(holder, dict) or name not in holder:
        return f"no {name}"
    return f"{name} {json.dumps(holder[name])}"


def is_text(value: object) -> TypeGuard[str]:
    """A string that can be written as UTF-8: JSON can hold half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
