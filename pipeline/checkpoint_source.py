"""What `checkpoint` of an evaluation may name: a checkpoint of the store, or a model from outside.

NAME: the store's current checkpoint of that name; NAME@UPDATE: one of its milestones.  A URI or key that ends in
/manifest.json: a manifest of `export`, or of `ingest` checkpoint/NAME.  hf://OWNER/NAME[@REVISION]: a model of the
Hugging Face hub.  Anything with a slash: a Hugging Face folder, as a path, file:// or s3:// URI.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from pipeline.errors import BadConfig
from pipeline.hub import SCHEME, repository_of
from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.shared_settings import CHECKPOINT_PATTERN

PATTERN = rf"{CHECKPOINT_PATTERN}|^\S*/\S*$"
# NAME, NAME@UPDATE, or OWNER/NAME: under which scores stand in the store
ScoredName = Annotated[str, StringConstraints(pattern=r"^[^\s/@.][^/@]*(/[^\s/@.][^/@]*)?(@\d{1,8})?$", max_length=200)]
UNITS = "checkpoint/"  # of `ingest`: models from outside


def is_manifest(checkpoint: str) -> bool:
    return checkpoint.endswith(f"/{MANIFEST_NAME}")


def is_outside(checkpoint: str) -> bool:
    return not is_manifest(checkpoint) and not re.match(CHECKPOINT_PATTERN, checkpoint)


def name_of(checkpoint: str) -> str:
    """Under which name its results stand: OWNER/NAME of the hub, the folder's name, the checkpoint's own name."""
    if is_manifest(checkpoint):
        stage, unit, _ = parse_key("/".join(checkpoint.split("/")[-_depth(checkpoint) :]))
        return unit.removeprefix(UNITS) if stage == "ingest" else unit
    if checkpoint.startswith(SCHEME):
        return repository_of(checkpoint)[0]
    return checkpoint.rstrip("/").rpartition("/")[2]


def check_manifest(key: str) -> str:
    """The key, if it is one of a checkpoint.  Raises BadConfig."""
    stage, unit, _ = parse_key(key)
    if stage == "export" or (stage == "ingest" and unit.startswith(UNITS)):
        return key
    raise BadConfig(f"{key}: a manifest of {stage}: wanted one of export, or of ingest {UNITS}NAME")


def absolute(checkpoint: str) -> str:
    """A folder that is named by a path, as a URI that does not depend on where the command runs.

    Raises BadConfig for a folder without a model.
    """
    if not is_outside(checkpoint) or "://" in checkpoint:
        return checkpoint
    folder = Path(checkpoint).expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise BadConfig(f"{folder}: no config.json: wanted a Hugging Face folder, hf://OWNER/NAME, the URI of a "
                        "manifest of export, or the name of a checkpoint in the store")  # fmt: skip
    return folder.as_uri()


def _depth(checkpoint: str) -> int:
    """How many parts of the URI are the key: STAGE/UNIT.../FINGERPRINT/manifest.json."""
    parts = checkpoint.split("/")
    for back in range(4, len(parts) + 1):
        if parts[-back] in ("export", "ingest"):
            return back
    raise BadConfig(f"{checkpoint}: wanted a manifest of export, or of ingest {UNITS}NAME")
