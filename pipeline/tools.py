"""Where that lies which no Python package installs: lmplz and build_binary of kenlm, the model lid.176, and text in
other languages."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.errors import MissingArtifact

TOOLS = Path(__file__).resolve().parent.parent / ".tools"
BUILT = TOOLS / "kenlm" / "bin"
LANGUAGE_IDENTIFIER = TOOLS / "lid.176.ftz"
OTHER_TEXT = TOOLS / "declarations"  # the Universal Declaration of Human Rights in some 500 versions


def find_tool(name: str) -> Path:
    """The program on PATH, else the one that this checkout built.  Raises MissingArtifact."""
    found = shutil.which(name) or shutil.which(name, path=str(BUILT))
    if found is None:
        raise MissingArtifact(f"{name} is neither on PATH nor in {BUILT}: run `make install`, or build kenlm")
    return Path(found)


def find_language_identifier() -> Path:
    """The lid.176.ftz that this checkout took.  Raises MissingArtifact."""
    if not LANGUAGE_IDENTIFIER.is_file():
        raise MissingArtifact(f"no {LANGUAGE_IDENTIFIER}: run `make install`, or name a fastText model")
    return LANGUAGE_IDENTIFIER
