"""The walls of the house (docs/architecture.md), read from the code's own imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "fasttext", "kenlm", "pyarrow", "sentencepiece", "transformers", "matplotlib", "boto3"}
# wing -> top-level packages that no module of it may import
FORBIDDEN = {
    "ccnet": {"training", "evaluation", "pipeline", "embedded", "airflow", "torch", "dags"},
    "training": {"ccnet", "evaluation", "pipeline", "embedded", "airflow", "dags", "fasttext", "kenlm", "pyarrow"},
    "evaluation": {"ccnet", "pipeline", "embedded", "airflow", "dags", "fasttext", "kenlm", "pyarrow"},
    "pipeline": {"airflow", "dags", "embedded", "torch"},
    "embedded": {"airflow", "dags", "torch"},
}
ROOMS_WITHOUT_A_NOUN = {"utils", "util", "helpers", "helper", "common", "misc", "base", "constants", "manager"}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_level_only: bool) -> Iterator[str]:
    """First names of what a module imports; TYPE_CHECKING blocks count for the walls, not for the weight."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("wing", sorted(FORBIDDEN))
def test_a_wing_imports_nothing_beyond_its_walls(wing: str) -> None:
    broken = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(wing)
        for name in imports(path, top_level_only=False)
        if name in FORBIDDEN[wing]
    }
    assert not broken


def test_only_the_roof_knows_airflow() -> None:
    elsewhere = modules("ccnet", "training", "evaluation", "pipeline", "embedded")
    assert not [path for path in elsewhere if "airflow" in imports(path, top_level_only=False)]


def test_stages_import_heavy_libraries_inside_their_bodies_only() -> None:
    light = [path for path in modules("pipeline", "dags") if path.name != "store_s3.py"]
    assert not [path for path in light if HEAVY & set(imports(path, top_level_only=True))]


@pytest.mark.parametrize("start", ["pipeline.cli", "pipeline.flow"])
def test_starting_loads_no_heavy_library(start: str) -> None:
    code = (
        f"import sys, {start}; from pipeline import stages; [stages.load(name) for name in stages.NAMES]; "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_no_room_is_without_a_noun_or_too_large() -> None:
    ours = modules("ccnet", "training", "evaluation", "pipeline", "embedded", "dags")
    assert not [path.name for path in ours if path.stem in ROOMS_WITHOUT_A_NOUN]
    assert not [f"{path}: {n}" for path in ours if (n := len(path.read_text().splitlines())) > 400]
