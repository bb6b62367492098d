"""How often a planted worse checkpoint is caught, and an equal one is blamed, by the verdict of `xlmr reevaluate`.

    python -m benchmarks.reevaluation --json benchmarks/results/reevaluation.json

Answers are drawn: a share of right ones for each of XNLI's languages, which varies between seeds (no model is trained).
The worse checkpoint has lost points in two languages; each repetition draws the answers of all seeds anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.recorded_models import SEED_SPREAD, Skill, write_checkpoint, write_scores
from evaluation.benchmarks import benchmark_named
from pipeline.store import FileStore
from pipeline.verdicts import Verdict, judge

BENCHMARK, SHARE = "xnli", 0.75
LOST = ("sw", "ur")


@dataclass(frozen=True)
class Scale:
    """`examples` of a test set."""

    examples: int
    seeds: int
    significance: tuple[float, ...]


def repeat(folder: Path, number: int, points: float, scale: Scale) -> list[Verdict]:
    """The verdicts, one a significance, on a second version that has lost `points` in the languages LOST."""
    store = FileStore(folder)
    languages = benchmark_named(BENCHMARK).paper
    after = {code: SHARE - (points / 100 if code in LOST else 0.0) for code in languages}
    seeds = tuple(range(1, scale.seeds + 1))
    first = write_checkpoint(store, "base")
    before = dict.fromkeys(languages, SHARE)
    write_scores(store, first, Skill(BENCHMARK, before, scale.examples, seeds, seed=2 * number))
    second = write_checkpoint(store, "base", quality=1.1)
    present = write_scores(store, second, Skill(BENCHMARK, after, scale.examples, seeds, seed=2 * number + 1))
    return [judge(store, "base", second, present, significance=each, margin=0.0) for each in scale.significance]


def rates(scratch: Path, times: int, points: float, scale: Scale) -> list[dict[str, Any]]:
    """A row for each significance."""
    every = [repeat(scratch / f"{points}-{number}", number, points, scale) for number in range(times)]
    return [_row(points, verdicts) for verdicts in zip(*every, strict=True)]


def _row(points: float, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    named = [{change.language for change in verdict.regressions} for verdict in verdicts]
    return {
        "points_lost": points, "significance": verdicts[0].significance, "repetitions": len(verdicts),
        "called_worse": sum(verdict.fails for verdict in verdicts),
        "named_all_that_lost": sum(set(LOST) <= each for each in named),
        "named_others": sum(bool(each - {*LOST, "mean"}) for each in named),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--examples", type=int, default=1000, help="of a test set (XNLI: 5,010) [default: 1,000]")
    parser.add_argument("--points", type=float, nargs="+", default=[0.0, 4.0], help="lost by the planted checkpoints")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--significance", type=float, nargs="+", default=[0.01, 0.05])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scale = Scale(options.examples, options.seeds, tuple(options.significance))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for points in options.points for row in rates(Path(scratch), options.times, points, scale)]
    result = {
        "examples": scale.examples, "seeds": scale.seeds, "benchmark": BENCHMARK, "languages_that_lose": LOST,
        "share_right": SHARE, "deviation_between_seeds_points": 100 * SEED_SPREAD,
        "seconds": round(time.monotonic() - began), "rates": rows,
    }  # fmt: skip
    json.dump(result, sys.stdout, indent=1)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
