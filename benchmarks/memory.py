"""What a worker of the recipe and a task that finds duplicates take of memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np

from ccnet.duplicates import find_duplicates
from ccnet.hashing import ENTRY
from ccnet.recipe import Recipe

SHARDS, HASHES_OF_A_SHARD = 8, 4_000_000
BOUND_BYTES = 128 << 20


def measure_worker(source: Path, recipe: Recipe, workspace: Path) -> float:
    """Peak resident MB of a process that does nothing but the recipe."""
    models = next(iter(recipe.models.values()))[0].parent
    program = [sys.executable, "-m", "pipeline.cli", "corpus", "--recipe", "ccnet", "--workers", "1"]
    files = ["--input", source, "--language-models", models, "--language-identifier", recipe.identifier]
    command = [str(part) for part in (*program, *files, "--output", workspace / "memory")]
    subprocess.run(command, check=True, capture_output=True)
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1)


def measure_dedup(workspace: Path) -> dict[str, float]:
    """MiB allocated while duplicates are found among many times more hashes than the bound holds (files are mapped)."""
    chance = np.random.default_rng(1)
    shards = []
    for shard in range(SHARDS):
        entries = np.zeros(HASHES_OF_A_SHARD, ENTRY)
        entries["hash"] = np.sort(chance.integers(0, 1 << 64, HASHES_OF_A_SHARD, "<u8"))
        shards.append(workspace / f"shard-{shard}.npy")
        np.save(shards[-1], entries)
    outputs = [path.with_suffix(".duplicates") for path in shards]
    tracemalloc.start()
    counts = find_duplicates(shards, outputs, memory_bytes=BOUND_BYTES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"hashes": counts["hashes"], "ranges": counts["ranges"], "bound_mib": BOUND_BYTES / 2**20,
            "peak_mib": round(peak / 2**20, 1)}  # fmt: skip
