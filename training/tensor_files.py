"""Files of tensors, written so that a full disk is told as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def save_tensors(content: Mapping[str, Any], path: Path) -> None:
    """As torch.save.  Raises the OSError that ended the writing, which torch itself hides in a RuntimeError."""
    try:
        with path.open("wb") as file:
            torch.save(dict(content), file)
    except (OSError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error
