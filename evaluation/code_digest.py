"""The digest of the code that a score depends on: what a fine-tuning and the benchmark's module import.

It is read from the import statements of the sources, those inside functions among them.  The list of all benchmarks is
not followed: it leads to every other reader, and what it does (choosing a folder) shows in the digest of the data.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path

from evaluation.benchmarks import benchmark_named

ROOT = Path(__file__).parent.parent
PACKAGES = ("evaluation", "training")
ALL_BENCHMARKS = "evaluation.benchmarks"
FINETUNING = "evaluation.finetune"


@functools.cache
def code_digest(benchmark: str) -> str:
    """SHA-256 over names and bytes of these sources, 16 letters."""
    total = hashlib.sha256()
    for name, path in modules_of(benchmark).items():
        total.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def modules_of(benchmark: str) -> dict[str, Path]:
    """Name -> source of every module that a score of this benchmark depends on, sorted by name."""
    found: dict[str, Path] = {}
    waiting = [FINETUNING, _module_of(benchmark)]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path and name not in found and name != ALL_BENCHMARKS:
            found[name] = path
            waiting += _imported_by(path)
    return dict(sorted(found.items()))


def _module_of(benchmark: str) -> str:
    """The module that makes the benchmark."""
    known = benchmark_named(benchmark)
    for path in sorted((ROOT / "evaluation" / "benchmarks").glob("[!_]*.py")):
        module = importlib.import_module(f"{ALL_BENCHMARKS}.{path.stem}")
        made = (getattr(module, "BENCHMARK", None), *getattr(module, "BENCHMARKS", ()))
        if any(each is known for each in made):
            return module.__name__
    raise LookupError(f"{benchmark}: no module of {ALL_BENCHMARKS} has it as BENCHMARK or in BENCHMARKS")


def _source(name: str) -> Path | None:
    """None for other projects' modules, and for what is no module but a name in one."""
    if name.split(".")[0] not in PACKAGES:
        return None
    path = ROOT.joinpath(*name.split("."))
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)


@functools.cache
def _imported_by(path: Path) -> tuple[str, ...]:
    return tuple(_imports(ast.parse(path.read_bytes())))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names that may be modules; what is imported for type checkers alone does not run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imports(node)
