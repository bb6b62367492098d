"""Where the two native programs lie that no Python package installs: lmplz and build_binary of kenlm."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.errors import MissingArtifact

BUILT = Path(__file__).resolve().parent.parent / ".tools" / "kenlm" / "bin"


def find_tool(name: str) -> Path:
    """The program on PATH, else the one that this checkout built.  Raises MissingArtifact."""
    found = shutil.which(name) or shutil.which(name, path=str(BUILT))
    if found is None:
        raise MissingArtifact(f"{name} is neither on PATH nor in {BUILT}: run `make install`, or build kenlm")
    return Path(found)
