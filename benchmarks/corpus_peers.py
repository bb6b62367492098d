"""Our recipe beside datatrove and cc_net: whole new processes in turn, in CPU seconds, with what each of them kept.

A process is counted from its start to its end with its children: imports, model loading, all work.  All are pinned to
one core and to one thread, and read the same WET file with the same models.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ccnet.recipe import SUMMARY, Recipe

ROOT = Path(__file__).resolve().parents[1]
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
DIFFERENCES = {
    "datatrove": [
        "keeps the first copy of a repeated line; the recipe, as CCNet, keeps none",
        "asks libmagic for the kind of each record, and drops text that looks like a program, HTML or another format",
        "keeps the title line as text; in the recipe it is the document's title",
        "cuts lines at every Unicode line end, and normalises by its own rules (lower case, digits)",
        "joins lines by a space for the language, and asks fastText for all labels",
        "writes the text of all documents once between its tasks, as its users do",
        "perplexity has no buckets",
    ],
    "cc_net": [
        "writes gzip JSON instead of Parquet, and is run without its last step, regroup",
        "waits 20 s after hashing, which costs no CPU time",
        "without getpy its line hashes are in a Python dict, which its source calls the faster of the two",
    ],
}
OUR_NAMES = {  # cc_net's field -> ours; its source_domain is a part of url, its cc_segment names the folders of a dump
    "raw_content": "text", "date_download": "date", **{name: name for name in (
        "url", "digest", "length", "nlines", "title", "original_nlines", "original_length", "line_ids", "language",
        "language_score", "perplexity", "bucket")},
}  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """A program, in a folder of its own -> its command; and what it says of itself, in the last line that it prints."""

    command: Callable[[Path], list[str]]
    told: Callable[[Path, str], dict[str, Any]]


def peers_of(
    source: Path, models: Path, recipe: Recipe, datatrove: Path | None, cc_net: Path | None
) -> dict[str, Peer]:
    """Ours first; the others where their environment or checkout is given."""
    wet, lm, lid = (str(path.resolve()) for path in (source, models, recipe.identifier))
    ours = [sys.executable, "-m", "pipeline.cli", "corpus", "--recipe", "ccnet", "--workers", "1", "--input", wet,
            "--language-models", lm, "--language-identifier", lid, "--output"]  # fmt: skip
    found = {"ours": Peer(lambda folder: [*ours, str(folder / "corpus")], _told_by_us)}
    here = ROOT / "benchmarks"
    if datatrove:
        program = [str(_python(datatrove)), str(here / "datatrove_pipeline.py"), wet, lm, lid]
        found["datatrove"] = Peer(lambda folder: [*program, str(folder)], _told_last)
    if cc_net:
        own = [str(_python(cc_net / ".venv")), str(here / "cc_net_pipeline.py"), str(cc_net.resolve()), wet, lm, lid]
        found["cc_net"] = Peer(lambda folder: own, _told_last)
    return found


def _python(environment: Path) -> Path:
    python = environment / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python}: no such file: wanted an environment in which the peer is installed (see --help)")
    return python.absolute()


def _told_by_us(folder: Path, printed: str) -> dict[str, Any]:
    counts = json.loads((folder / "corpus" / SUMMARY).read_text(encoding="utf-8"))["counts"]
    kept = {
        step: counts[step]["documents_kept"] for step in ("extract", "deduplicate", "identify", "filter_perplexity")
    }
    names = ("long_enough", "deduplicated", "identified", "written")
    documents = {"read": counts["extract"]["documents_in"]} | dict(zip(names, kept.values(), strict=True))
    return {"documents": documents}


def _told_last(folder: Path, printed: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found


def measure_peers(
    peers: Mapping[str, Peer], rounds: int, workspace: Path, standing: Mapping[str, Any]
) -> dict[str, Any]:
    """CPU seconds of every process of every round, and the ratio to ours by round: median and spread.

    A peer that is not run keeps what `standing`, an earlier result, says of it, with its own date and load.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    told: dict[str, dict[str, Any]] = {}
    loads = [os.getloadavg()[0]]
    for index in range(rounds):
        for name, peer in peers.items():
            folder = workspace / f"{name}-{index}"
            folder.mkdir()
            spent, printed = run_alone(peer.command(folder), folder)
            seconds[name].append(spent)
            told[name] = peer.told(folder, printed)
            print(
                f"round {index + 1}: {name} {spent:.2f} s of CPU, documents {told[name]['documents']}", file=sys.stderr
            )
        loads.append(os.getloadavg()[0])
    found: dict[str, Any] = {
        "how": "new processes in turn, CPU seconds from start to end with children, one core, one thread",
        "ours": told["ours"],
    }
    run = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "rounds": rounds,
        "load_average": [round(load, 1) for load in loads],
        "ours_cpu_s": _rounded(seconds["ours"]),
    }
    for name in ("datatrove", "cc_net"):
        not_run = {"not_run": f"no --{name.replace('_', '-')} was given", "differences": DIFFERENCES[name]}
        if name not in peers:
            found[name] = standing.get(name, not_run)
            continue
        ratios = [peer / own for peer, own in zip(seconds[name], seconds["ours"], strict=True)]
        found[name] = told[name] | run | {
            "cpu_s": _rounded(seconds[name]),
            "times_ours": round(statistics.median(ratios), 2),
            "times_ours_spread": [round(min(ratios), 2), round(max(ratios), 2)],
            "differences": DIFFERENCES[name],
        }  # fmt: skip
    if "cc_net" in peers:
        last = rounds - 1
        found["cc_net"]["equal"] = compare_documents(workspace / f"ours-{last}", workspace / f"cc_net-{last}")
    return found


def compare_documents(ours: Path, theirs: Path) -> dict[str, Any]:
    """How many documents of the folders of two runs, ours and cc_net's, are equal in every field of OUR_NAMES."""
    rows = pq.read_table(ours / "corpus").to_pylist()
    own = Counter(_comparable({name: row[our_name] for name, our_name in OUR_NAMES.items()}) for row in rows)
    others: Counter[str] = Counter()
    for part in sorted((theirs / "out").rglob("*.json.gz")):
        with gzip.open(part, "rt", encoding="utf-8") as lines:
            others.update(_comparable(json.loads(line)) for line in lines)
    return {
        "ours": own.total(),
        "cc_net": others.total(),
        "equal": (own & others).total(),
        "fields": list(OUR_NAMES),
    }


def _comparable(row: Mapping[str, Any]) -> str:
    """A document without a language model has no perplexity in cc_net's files, and null in ours."""
    return json.dumps([row.get(name) for name in OUR_NAMES])


def run_alone(command: list[str], folder: Path) -> tuple[float, str]:
    """CPU seconds of a new process and its children, and what it printed.  Raises CalledProcessError."""
    environment = {**os.environ, **SINGLE, "PYTHONPATH": str(ROOT)}
    if "datatrove_pipeline" in " ".join(command) or "cc_net_pipeline" in " ".join(command):
        del environment["PYTHONPATH"]
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=said, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), said.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}: ended with {process.returncode}: {said.read().strip()[-600:]}")
        return usage.ru_utime + usage.ru_stime, out.read()


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 2) for value in values]
