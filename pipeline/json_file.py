"""A file that people write: one JSON object, or one line that says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.errors import BadConfig


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """`what` the file should hold, for the message: settings, say.  Raises BadConfig."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}: wanted a JSON file of {what}") from error
    except ValueError as error:
        raise BadConfig(f"{path}: {error}: wanted a JSON file of {what}") from error
    if not isinstance(found, dict):
        raise BadConfig(f"{path}: wanted a JSON object of {what}, found {type(found).__name__}")
    return found
