"""How often `compare` calls an equal checkpoint worse, and how often it catches a worse one, over real fine-tunings.

    python -m benchmarks.false_alarms --sst2 glue/SST-2 --json benchmarks/results/false_alarms.json

A tiny encoder is trained on SST-2's first rows; that is the good checkpoint.  Its copy is the equal one; the worse one
has noise added to its weights.  In each repetition good, equal and worse are fine-tuned with seeds of their own on
other rows of the training set and scored on the dev set; both pairs are compared as `xlmr compare` does.  A verdict
`worse` on the equal one is a false alarm.  The result is written after each repetition.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks.machine import cores, processor
from evaluation.benchmarks import BENCHMARKS
from evaluation.compare import compare
from evaluation.encoders import NativeEncoder, load
from evaluation.finetune import run
from evaluation.heads import Head
from evaluation.records import Classified
from evaluation.results import Scored, read_results
from evaluation.settings import FinetuneConfig
from evaluation.tuning import Tuner
from training.export import export_hugging_face, save_final
from training.model import MaskedLanguageModel, xlmr_tiny
from training.vocabulary import Vocabulary, train_vocabulary

PIECES = 1000
FIRST, TUNED = 2000, 256  # rows for the checkpoint, and for each fine-tuning
EPOCHS = 4  # of the checkpoint's training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sst2", type=Path, required=True, help="folder with train.tsv and dev.tsv of GLUE's SST-2")
    parser.add_argument("--json", type=Path, help="write the result there")
    parser.add_argument("--repetitions", type=int, default=20, help="(default 20)")
    parser.add_argument("--seeds", type=int, default=2, help="fine-tunings of a checkpoint in a repetition (default 2)")
    parser.add_argument("--noise", type=float, default=4.0, help="of the worse one, in deviations of each weight "
                        "matrix (default 4)")  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        for result in measure(arguments, Path(workspace)):
            text = json.dumps(result, indent=1)
            if arguments.json:
                arguments.json.write_text(text + "\n")
            print(text, flush=True)


def measure(arguments: argparse.Namespace, workspace: Path) -> Iterator[dict[str, Any]]:
    """The result so far, after each repetition."""
    began = time.monotonic()
    lines = (arguments.sst2 / "train.tsv").read_text(encoding="utf-8").splitlines()
    data = workspace / "data"
    (data / "SST-2").mkdir(parents=True)
    (data / "SST-2" / "train.tsv").write_text("\n".join([lines[0], *lines[1 + FIRST : 1 + FIRST + TUNED]]) + "\n")
    (data / "SST-2" / "dev.tsv").write_bytes((arguments.sst2 / "dev.tsv").read_bytes())
    good, worse = make_checkpoints(lines[1 : 1 + FIRST], workspace, arguments.noise)
    scores: dict[str, list[float]] = {"good": [], "equal": [], "worse": []}
    verdicts: dict[str, Counter[str]] = {"equal": Counter(), "worse": Counter()}
    for repetition in range(arguments.repetitions):
        found: dict[str, list[Scored]] = {}
        for place, (name, model) in enumerate((("good", good), ("equal", good), ("worse", worse))):
            seeds = [1 + 1000 * place + repetition * arguments.seeds + each for each in range(arguments.seeds)]
            found[name] = [row for seed in seeds for row in evaluate(model, data, seed, workspace)]
            scores[name] += [scored.row.value for scored in found[name]]
        for name, counted in verdicts.items():
            counted[compare(found["good"], found[name]).differences[-1].verdict] += 1
        done = repetition + 1
        yield {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{cores()} cores of {processor()}, one used, shared with other work",
            "what": f"SST-2: checkpoint trained on {FIRST} rows ({PIECES} pieces, tiny encoder), fine-tuned on "
            f"{TUNED} other rows, scored on the dev set; {arguments.seeds} seeds a side, alpha 0.05, no margin",
            "repetitions": done,
            "seeds": arguments.seeds,
            "noise": arguments.noise,
            "scores": {name: {"mean": round(fmean(values), 2), "deviation": round(stdev(values), 2)}
                       for name, values in scores.items()},
            "verdicts_on_equal": dict(verdicts["equal"]),
            "verdicts_on_worse": dict(verdicts["worse"]),
            "false_alarm_rate": verdicts["equal"]["worse"] / done,
            "caught_rate": verdicts["worse"]["worse"] / done,
            "seconds": round(time.monotonic() - began),
        }  # fmt: skip


def make_checkpoints(rows: list[str], workspace: Path, noise: float) -> tuple[Path, Path]:
    """Folders of the good and the worse checkpoint."""
    examples = [Classified(text, None, label) for text, label in (row.split("\t") for row in rows)]
    texts = [example.first for example in examples]
    train_vocabulary({"en": lambda: texts}, {"en": sum(map(len, texts))}, workspace / "pieces.model", size=PIECES)
    torch.manual_seed(1)
    config = xlmr_tiny(len(Vocabulary.load(workspace / "pieces.model")))
    model = MaskedLanguageModel(config)

    def export(name: str) -> Path:
        save_final(model, config, workspace / f"{name}-final")
        export_hugging_face(workspace / f"{name}-final", workspace / "pieces.model", workspace / name)
        return workspace / name

    loaded = load(export("random"))
    assert isinstance(loaded.model, NativeEncoder)
    settings = FinetuneConfig(batch=32, learning_rate=5e-4, epochs=EPOCHS, max_tokens=48)
    tuner = Tuner(Head(loaded, BENCHMARKS["sst2"]), loaded.tokenizer, BENCHMARKS["sst2"], settings, 48)
    prepared, optimizer = tuner.prepare(examples), tuner.optimizer()
    for epoch in range(EPOCHS):
        tuner.train_epoch(prepared, optimizer, epoch)
    model.encoder.load_state_dict(loaded.model.encoder.state_dict())
    good = export("good")
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            if weight.dim() > 1:
                weight += torch.randn(weight.shape, generator=chance) * weight.std() * noise
    return good, export("worse")


def evaluate(model: Path, data: Path, seed: int, workspace: Path) -> list[Scored]:
    settings = FinetuneConfig(seed=seed, epochs=1, batch=32, learning_rate=2e-4, max_tokens=48)
    output = workspace / f"results-{model.name}-{seed}"
    run("sst2", model, data, output, settings)
    return read_results(output)


if __name__ == "__main__":
    main()
