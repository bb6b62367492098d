"""XQuAD: 1,190 questions of SQuAD in 12 languages (Artetxe et al. 2020), scored with SQuAD's own script.

Files: xquad.LANG.json, and SQuAD's train-v1.1.json and dev-v1.1.json (without the latter, part of train selects).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import mlqa
from evaluation.metrics.metric import SQUAD_EXACT, SQUAD_F1
from evaluation.readers.folders import find, matching
from evaluation.readers.squad import read_squad
from evaluation.records import DataError, Parts, Splits


def read(folder: Path, data: Path) -> Splits:
    tests = matching(folder, "xquad.*.json")
    if not tests:
        raise DataError(f"{folder}: no such file: wanted xquad.LANG.json")
    left_out: Counter[str] = Counter()
    train_file, dev_file = mlqa.find_train(folder, data), find(folder, "dev-v1.1.json")
    train = read_squad(train_file, train=True, left_out=left_out)
    test = {name: questions for path in tests for name, questions in read_gold(path).items()}
    files = (train_file, *([dev_file] if dev_file else ()), *tests)
    other = mlqa.stand_in(train_file)
    if dev_file:
        return Splits({"en": train}, {"en": read_squad(dev_file)}, test, files=files, left_out=left_out, stand_in=other)
    kept, rest = mlqa.hold_out_contexts(train)
    return Splits({"en": kept}, {"en": rest}, test, dev_is="held out from train", files=files, left_out=left_out,
                  stand_in=other)  # fmt: skip


def read_gold(path: Path) -> Parts:
    return {path.stem.split(".")[-1]: read_squad(path)}


BENCHMARK = Benchmark(
    name="xquad",
    title="XQuAD",
    task="span",
    folders=("xquad",),
    read=read,
    read_gold=read_gold,
    metrics=(SQUAD_F1, SQUAD_EXACT),
    settings=("transfer",),
    licence="CC BY-SA 4.0",
    home="https://github.com/google-deepmind/xquad",
    chance=0.0,
    finetuning=mlqa.BENCHMARK.finetuning,
)
