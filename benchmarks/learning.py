"""Does it learn?  Small models on several languages: alpha 0.3 against 1.0, and seven languages against thirty.

    python -m benchmarks.learning --text FOLDER --work FOLDER --json benchmarks/results/learning.json

FOLDER of text: LANGUAGE.txt.gz, one paragraph a line.  All models have one size, one vocabulary (of the thirty
languages, alpha 0.3) and one number of updates, so that their perplexities compare.  A run that was cut off goes on
from its newest checkpoint; a finished one is not run again.  Writes the JSON and a plot beside it.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import torch

from benchmarks.machine import cores, processor
from training.blocks import write_blocks
from training.vocabulary import Vocabulary, train_vocabulary

matplotlib.use("Agg")
from matplotlib import pyplot

SEVEN = ("de", "en", "fr", "ru", "sw", "ur", "zh-Hans")  # the paper's set (section 5.2)
THIRTY = (*SEVEN, "am", "ar", "bg", "cy", "el", "es", "et", "ga", "gd", "hi", "ja", "ka", "ko", "la", "nl", "ps", "pt",
          "ro", "sv", "th", "tr", "uk", "vi")  # fmt: skip
ARMS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "30 languages, alpha 0.3": (THIRTY, 0.3),
    "30 languages, alpha 1.0": (THIRTY, 1.0),
    "7 languages, alpha 0.3": (SEVEN, 0.3),
}
LOW, HIGH = "the ten languages with the least text", "the ten languages with the most text"
PIECES = 8000
BLOCK_TOKENS = 128
SETTINGS = {
    "model": "tiny", "block_tokens": BLOCK_TOKENS, "batch_blocks": 16, "peak_learning_rate": 2e-3,
    "warmup_steps": 200, "validation_blocks": 24, "checkpoint_steps": 500, "keep_checkpoints": 1, "log_steps": 100,
}  # fmt: skip


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def prepare(text: Path, work: Path) -> dict[str, dict[str, int]]:
    """The vocabulary and each language's blocks in `work`.  Returns what the blocks count, by language."""
    table = work / "text.json"
    if table.exists():
        found: dict[str, dict[str, int]] = json.loads(table.read_text())
        return found
    missing = [code for code in THIRTY if not (text / f"{code}.txt.gz").exists()]
    if missing:
        raise SystemExit(
            f"{text} lacks {', '.join(f'{code}.txt.gz' for code in missing)}: wanted text of each language"
        )
    work.mkdir(parents=True, exist_ok=True)
    model = work / "sentencepiece.bpe.model"
    texts = {code: lambda code=code: lines(text / f"{code}.txt.gz") for code in THIRTY}
    characters = {code: sum(map(len, texts[code]())) for code in THIRTY}
    train_vocabulary(texts, characters, model, size=PIECES, alpha=0.3, max_characters=10_000_000)
    vocabulary = Vocabulary.load(model)
    counts = {
        code: dict(write_blocks(texts[code](), vocabulary, work / f"{code}.npy", block_tokens=BLOCK_TOKENS))
        for code in THIRTY
    }
    table.write_text(json.dumps(counts, indent=1) + "\n")
    return counts


def pretrain(work: Path, arm: str, seed: int, steps: int) -> Path:
    """The folder of one finished run."""
    languages, alpha = ARMS[arm]
    output = work / f"{len(languages)}-{alpha}-{seed}-{steps}"
    if not (output / "summary.json").exists():
        output.mkdir(exist_ok=True)
        config = work / f"{output.name}.json"
        config.write_text(json.dumps(SETTINGS | {
            "vocabulary": str(work / "sentencepiece.bpe.model"), "alpha": alpha, "seed": seed, "steps": steps,
            "blocks": {code: [str(work / f"{code}.npy")] for code in languages},
            "validation_steps": max(1, steps // 12), "output": str(output),
        }, indent=1))  # fmt: skip
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "training", "pretrain", "--config", str(config)], check=True)
        print(f"{arm}, seed {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return output


def validations(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]


def mean_loss(row: Mapping[str, Any], languages: tuple[str, ...]) -> float:
    """Nats a masked token, each language counted alike."""
    return statistics.fmean(row["loss_nats_by_language"][code] for code in languages)


def compare(rows: Mapping[str, list[list[dict[str, Any]]]], groups: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Group of languages -> arm -> the first and the last loss of each seed."""
    return {
        name: {
            arm: {
                "first": [round(mean_loss(run[0], group), 4) for run in runs],
                "last": [round(mean_loss(run[-1], group), 4) for run in runs],
            }
            for arm, runs in rows.items()
            if set(group) <= set(ARMS[arm][0])
        }
        for name, group in groups.items()
    }


def plot(rows: Mapping[str, list[list[dict[str, Any]]]], groups: Mapping[str, tuple[str, ...]], path: Path) -> None:
    figure, axes = pyplot.subplots(1, len(groups), figsize=(4.2 * len(groups), 3.6), sharey=True)
    for axis, (name, group) in zip(axes, groups.items(), strict=True):
        for number, (arm, runs) in enumerate(rows.items()):
            if set(group) <= set(ARMS[arm][0]):
                for run in runs:
                    losses = [mean_loss(row, group) for row in run]
                    label = arm if run is runs[0] else None
                    axis.plot([row["step"] for row in run], losses, color=f"C{number}", label=label, linewidth=1.2)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("updates")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("validation loss, nats a masked token")
    axes[-1].legend(fontsize=8)  # the one that all arms are in
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="folder with LANGUAGE.txt.gz")
    parser.add_argument("--work", type=Path, required=True, help="folder for blocks, checkpoints and metrics")
    parser.add_argument("--json", type=Path, required=True, help="result; the plot stands beside it as .png")
    parser.add_argument("--steps", type=int, default=3000, help="updates of each run (default 3000)")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each arm (default 2)")
    arguments = parser.parse_args()
    counts = prepare(arguments.text, arguments.work)
    by_size = sorted(THIRTY, key=lambda code: counts[code]["tokens"])
    groups = {LOW: tuple(by_size[:10]), HIGH: tuple(by_size[-10:]), "the seven languages": SEVEN}
    folders: dict[str, list[Path]] = {arm: [] for arm in ARMS}
    for seed in range(1, arguments.seeds + 1):
        for arm in ARMS:
            folders[arm].append(pretrain(arguments.work, arm, seed, arguments.steps))
    rows = {arm: [validations(folder) for folder in found] for arm, found in folders.items()}
    result = {
        "date": datetime.date.today().isoformat(),
        "command": f"python -m benchmarks.learning --steps {arguments.steps} --seeds {arguments.seeds}",
        "machine": f"{processor()}, {cores()} cores; one thread a run; load at the end {os.getloadavg()[0]:.1f}",
        "torch": torch.__version__,
        "settings": SETTINGS | {"steps": arguments.steps, "pieces": PIECES, "seeds": arguments.seeds},
        "tokens_trained_a_run": arguments.steps * int(SETTINGS["batch_blocks"]) * BLOCK_TOKENS,  # type: ignore[call-overload]
        "tokens_of_text": {code: counts[code]["tokens"] for code in by_size},
        "groups": groups,
        "loss_nats": compare(rows, groups),
        "last_perplexity_by_language": {
            arm: {code: [run[-1]["perplexity_by_language"][code] for run in runs] for code in sorted(ARMS[arm][0])}
            for arm, runs in rows.items()
        },
    }
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    plot(rows, groups, arguments.json.with_suffix(".png"))
    print(json.dumps(result["loss_nats"], indent=1))


if __name__ == "__main__":
    main()
