"""All benchmarks.  A new one is a file beside these that makes a Benchmark, and its name in the list below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import (
    americasnli,
    belebele,
    flores,
    glue,
    masakhaner,
    mlqa,
    ner,
    panx,
    pawsx,
    sib200,
    tatoeba,
    tydiqa,
    universal_ner,
    xnli,
    xquad,
)
from evaluation.records import DataError, Splits

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        xnli.BENCHMARK,
        ner.BENCHMARK,
        mlqa.BENCHMARK,
        *glue.BENCHMARKS,
        americasnli.BENCHMARK,
        pawsx.BENCHMARK,
        panx.BENCHMARK,
        masakhaner.BENCHMARK,
        universal_ner.BENCHMARK,
        xquad.BENCHMARK,
        tydiqa.BENCHMARK,
        sib200.BENCHMARK,
        belebele.BENCHMARK,
        tatoeba.BENCHMARK,
        flores.BENCHMARK,
    )
}


def benchmark_named(name: str) -> Benchmark:
    """Raises DataError for a name that is not there."""
    if name not in BENCHMARKS:
        raise DataError(f"benchmark {name!r}: wanted one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def read_splits(name: str, data: Path) -> Splits:
    """All parts of one benchmark below the data folder, every file checked whole.  Raises DataError."""
    benchmark = benchmark_named(name)
    folder = _folder(benchmark, data)
    splits = benchmark.read(folder, data)
    if not splits.test and not splits.translated_test:
        raise DataError(f"{folder}: no test file of {name}: nothing could be scored")
    return splits


def _folder(benchmark: Benchmark, data: Path) -> Path:
    """The benchmark's folder below `data`, or `data` itself where it holds no folder of any benchmark."""
    own = next((data / name for name in benchmark.folders if (data / name).is_dir()), None)
    if own:
        return own
    others = {name for other in BENCHMARKS.values() for name in other.folders}
    if not data.is_dir() or any((data / name).is_dir() for name in others):
        raise DataError(f"{data / benchmark.folders[0]}: no such folder: put {benchmark.title}'s published files there")
    return data
