"""Arrow without pandas, which it imports where it can, at its first conversion from Python, and which takes longer than
a small corpus."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

import pyarrow as pa


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pyarrow is to do without pandas", name=name)


def use_arrow_alone() -> None:
    """For a process that converts nothing to pandas: pyarrow looks for it once, now, and does not find it."""
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
