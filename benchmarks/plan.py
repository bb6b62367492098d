"""Seconds of `xlmr plan --settings releases/cc100.json --json` at two numbers of slices, each in fresh processes.

Example: python -m benchmarks.plan --json benchmarks/results/plan.json

The command's time has start-up in it; planning is timed inside a fresh process of its own.  Asked: the command within
3 s, twice the slices in at most 2.2 times the planning time.  The quickest of the rounds counts, in wall-clock time and
in CPU time (which says more on a busy machine).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import cores, processor

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "releases" / "cc100.json"
SLICES = (80, 160)
MOST_S, MOST_RATIO = 3.0, 2.2
PLANNING = """
import json, sys, time
from pathlib import Path
from pipeline.json_file import read_json_object
from pipeline.deployment import Deployment
from pipeline.plan import Plan
from pipeline.runs import END_TO_END
from pipeline import stages
settings = END_TO_END.settings.parse(read_json_object(Path(sys.argv[1]), "settings") | {"slices": int(sys.argv[2])})
for name in END_TO_END.stages:
    stages.load(name)
wall, cpu = time.perf_counter(), time.process_time()
units = len(Plan(END_TO_END, settings, Deployment()).works())
print(json.dumps({"units": units, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}))
"""


def command_seconds(slices: int) -> dict[str, float]:
    """Wall and CPU seconds of the command, start-up included."""
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "plan",
        "--settings",
        str(SPEC),
        "--set",
        f"slices={slices}",
        "--json",
    ]
    wall, cpu = time.perf_counter(), _children_s()
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert json.loads(said.stdout)["tasks"]
    return {"wall_s": time.perf_counter() - wall, "cpu_s": _children_s() - cpu}


def planning_seconds(slices: int) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, "-c", PLANNING, str(SPEC), str(slices)], cwd=ROOT, capture_output=True, check=True
    )
    found: dict[str, float] = json.loads(said.stdout)
    return found


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def quickest(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(min(found[name] for found in rounds), 3) for name in rounds[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the result goes; also printed")
    chosen = parser.parse_args()
    command = {slices: quickest([command_seconds(slices) for _ in range(chosen.rounds)]) for slices in SLICES}
    planning = {slices: quickest([planning_seconds(slices) for _ in range(chosen.rounds)]) for slices in SLICES}
    few, many = (planning[slices] for slices in SLICES)
    result: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{cores()} cores, {processor()}",
        "load_average": round(os.getloadavg()[0], 1),
        "command": f"python -m benchmarks.plan --rounds {chosen.rounds}",
        "the_command_by_slices": command,
        "planning_by_slices": planning,
        "planning_ratio": {name: round(many[name] / few[name], 2) for name in ("wall_s", "cpu_s")},
        "asked": {"command_s": MOST_S, "ratio": MOST_RATIO},
    }
    text = json.dumps(result, indent=1)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    sys.exit(command[SLICES[0]]["cpu_s"] > MOST_S or result["planning_ratio"]["cpu_s"] > MOST_RATIO)


if __name__ == "__main__":
    main()
