"""The dependency rules of docs/architecture.md, read from the code's own imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "fasttext", "kenlm", "pyarrow", "sentencepiece", "transformers", "matplotlib", "boto3"}
# package -> top-level packages that no module of it may import
FORBIDDEN = {
    "ccnet": {"training", "evaluation", "pipeline", "embedded", "airflow", "torch", "dags", "plugins"},
    "training": {"ccnet", "evaluation", "pipeline", "embedded", "airflow", "dags", "fasttext", "kenlm", "pyarrow"},
    "evaluation": {"ccnet", "pipeline", "embedded", "airflow", "dags", "fasttext", "kenlm", "pyarrow"},
    "pipeline": {"airflow", "dags", "embedded", "plugins", "torch"},
    "embedded": {"airflow", "dags", "plugins", "torch"},
    "plugins": {"dags", "embedded", "torch", "training", "evaluation"},
    "dags": {"embedded", "torch", "training", "evaluation"},
}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "constants", "manager"}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_level_only: bool) -> Iterator[str]:
    """First names of what a module imports; TYPE_CHECKING blocks count as imports, not as weight."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    broken = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(path, top_level_only=False)
        if name in FORBIDDEN[package]
    }
    assert not broken


def test_only_dags_and_plugins_know_airflow() -> None:
    elsewhere = modules("ccnet", "training", "evaluation", "pipeline", "embedded")
    assert not [path for path in elsewhere if "airflow" in imports(path, top_level_only=False)]


def test_stages_import_heavy_libraries_inside_their_bodies_only() -> None:
    light = [path for path in modules("pipeline", "dags") if path.name != "store_s3.py"]
    assert not [path for path in light if HEAVY & set(imports(path, top_level_only=True))]


@pytest.mark.parametrize("start", ["pipeline.cli", "pipeline.plan"])
def test_starting_loads_no_heavy_library(start: str) -> None:
    code = (
        f"import sys, {start}; from pipeline import stages; [stages.load(name) for name in stages.NAMES]; "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_every_file_has_a_name_that_says_what_it_does_and_at_most_400_lines() -> None:
    ours = modules(*FORBIDDEN)
    assert not [path.name for path in ours if path.stem in NAMES_THAT_SAY_NOTHING]
    assert not [f"{path}: {n}" for path in ours if (n := len(path.read_text().splitlines())) > 400]


def test_no_two_modules_import_each_other() -> None:
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules(*FORBIDDEN)}
    named = {name.removesuffix(".__init__"): path for name, path in named.items()}
    known = {name: _modules_of_ours(path, name, named) for name, path in named.items()}
    assert not sorted(
        f"{one} and {other}" for one in known for other in known[one] if one in known[other] and one < other
    )


def _modules_of_ours(path: Path, name: str, named: dict[str, Path]) -> set[str]:
    """What a module imports of this project at its top level, TYPE_CHECKING blocks included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {part if part in named else node.module for part in parts}
    return (found & set(named)) - {name}
