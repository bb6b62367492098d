"""The texts that the benchmarks score on, hashed, so that documents of a release can be compared with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import benchmark_files
from pipeline.official_files import benchmark_manifest
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.evaluate import BENCHMARKS, Benchmark

if TYPE_CHECKING:
    from ccnet.decontaminate import BenchmarkIndex


class IndexBenchmarksConfig(StageConfig):
    decontaminate_against: tuple[Benchmark, ...] = Field(
        default=BENCHMARKS,
        min_length=1,
        description="benchmarks whose dev and test sets no document should hold text of, where `decontaminate` is on",
    )


def index_benchmarks(config: IndexBenchmarksConfig, inputs: Inputs, draft: Draft) -> None:
    """Each benchmark's files are read as for its evaluation, so a broken one is named here."""
    from ccnet.decontaminate import index_texts
    from evaluation.texts import evaluated_texts

    names = sorted(set(config.decontaminate_against))
    folders = {name: inputs.folder(benchmark_manifest(inputs, name), draft.scratch(f"data/{name}")) for name in names}
    index, counts = index_texts({name: evaluated_texts(name, folder) for name, folder in folders.items()})
    index.save(draft.path("hashes.npy").parent)
    draft.add({"windows": len(index), "index_bytes": index.memory_bytes})
    for name, found in counts.items():
        draft.add({f"{what}_{name}": n for what, n in found.items()})


def read_index(inputs: Inputs) -> BenchmarkIndex:
    """The index that came in, its hashes mapped from disk."""
    from ccnet.decontaminate import BenchmarkIndex

    manifest = inputs.one("index_benchmarks")
    return BenchmarkIndex.load(sorted(set(manifest.config["decontaminate_against"])), inputs.paths(manifest))


STAGE = Stage(
    name="index_benchmarks",
    version=1,
    config=IndexBenchmarksConfig,
    body=index_benchmarks,
    needs={"ingest": benchmark_files},
    packages=("numpy",),
    shared=True,
)
