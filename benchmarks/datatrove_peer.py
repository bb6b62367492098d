"""Runs `datatrove_pipeline.py` in the environment where datatrove is installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ccnet.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".tools" / "datatrove" / "bin" / "python"


def datatrove_seconds(source: Path, recipe: Recipe, folder: Path) -> float | None:
    """CPU seconds of datatrove's pipeline, models loaded; None where it is not installed."""
    if not PYTHON.exists():
        return None
    models = next(iter(recipe.models.values()))[0].parent
    command = [PYTHON, ROOT / "benchmarks" / "datatrove_pipeline.py", source, models, recipe.identifier, folder]
    said = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return float(json.loads(said.stdout.strip().splitlines()[-1])["cpu_s"])
