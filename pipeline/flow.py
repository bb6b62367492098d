"""What follows what: the steps of the walk, their units, and the plan of a run.

The key of every manifest is a function of the settings alone, so a plan can be made, shown, followed and resumed
without running anything.  The command line and Airflow both walk this one description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline import stages
from pipeline.errors import BadConfig
from pipeline.settings import INGESTED, RunSettings, stage_config
from pipeline.stage import StageConfig

Over = Literal["slices", "crawls", "ranges", "languages", "release", "model", "benchmarks", "inputs"]

UNITS: dict[Over, Callable[[RunSettings], Sequence[str]]] = {
    "inputs": lambda settings: tuple(unit for unit, field in INGESTED.items() if getattr(settings, field)),
    "slices": RunSettings.slice_names,
    "crawls": lambda settings: settings.crawls,
    "ranges": RunSettings.range_names,
    "languages": lambda settings: settings.languages,
    "release": lambda settings: (settings.release,),
    "model": lambda settings: (f"xlmr-{settings.model}",),
    "benchmarks": lambda settings: tuple(f"{b}/seed-{s}" for b in settings.benchmarks for s in settings.seeds),
}


@dataclass(frozen=True)
class Step:
    """One stage over all its units; `after` are the stages whose manifests it may read."""

    stage: str
    over: Over
    after: tuple[str, ...] = ()


# The data's own walk, left to right.
STEPS = (
    Step("ingest", "inputs"),
    Step("fetch", "slices"),
    Step("extract", "slices", ("fetch",)),
    Step("hash_paragraphs", "slices", ("extract",)),
    Step("find_duplicates", "ranges", ("hash_paragraphs",)),
    Step("deduplicate", "slices", ("extract", "hash_paragraphs", "find_duplicates")),
    Step("train_lid", "release", ("ingest",)),
    Step("identify", "slices", ("deduplicate", "ingest", "train_lid")),
    Step("train_lm", "languages", ("ingest",)),
    Step("choose_cut_offs", "crawls", ("identify", "train_lm", "ingest")),
    Step("filter_perplexity", "slices", ("identify", "train_lm", "choose_cut_offs")),
    Step("filter_documents", "slices", ("filter_perplexity", "ingest")),
    Step("regroup", "languages", ("filter_documents",)),
    Step("publish", "release", ("regroup",)),
    Step("train_vocabulary", "release", ("publish",)),
    Step("encode", "languages", ("publish", "train_vocabulary")),
    Step("pretrain", "model", ("encode", "train_vocabulary")),
    Step("export", "model", ("pretrain", "train_vocabulary")),
    Step("evaluate", "benchmarks", ("export", "ingest")),
    Step("report", "release", ("extract", "deduplicate", "identify", "filter_documents", "regroup", "publish",
                               "train_vocabulary", "encode", "pretrain", "evaluate")),
)  # fmt: skip

# The parts that run on their own (a DAG each); end_to_end is all of them.
FLOWS: dict[str, tuple[str, ...]] = {
    "corpus": ("ingest", "fetch", "extract", "hash_paragraphs", "find_duplicates", "deduplicate",
               "train_lid", "identify", "train_lm", "choose_cut_offs", "filter_perplexity",
               "filter_documents"),
    "release": ("regroup", "publish", "train_vocabulary"),
    "pretrain": ("encode", "pretrain", "export"),
    "evaluate": ("evaluate", "report"),
    "end_to_end": tuple(step.stage for step in STEPS),
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One unit of one stage, with the key of the manifest that it leaves."""

    stage: str
    unit: str
    config: StageConfig
    inputs: tuple[str, ...]
    key: str


def plan(settings: RunSettings) -> tuple[Work, ...]:
    """All work of the whole walk, each after what it reads."""
    works: list[Work] = []
    for step in STEPS:
        stage = stages.load(step.stage)
        before = [work.key for work in works if work.stage in step.after]
        for unit in UNITS[step.over](settings):
            config = stage.parse(stage_config(settings, step.stage, unit))
            inputs = stage.choose(config, unit, before)
            works.append(Work(step.stage, unit, config, inputs, stage.key(config, unit, inputs)))
    return tuple(works)


def select(works: Iterable[Work], target: str, unit: str | None = None) -> tuple[Work, ...]:
    """The work of a flow (its stages only) or of a stage with all that it needs.  Raises BadConfig."""
    works = tuple(works)
    if target in FLOWS:
        return tuple(work for work in works if work.stage in FLOWS[target])
    chosen = {work.key for work in works if work.stage == target and unit in (None, work.unit)}
    if not chosen:
        named = target if unit is None else f"{target} {unit}"
        raise BadConfig(f"nothing to do for {named!r}: wanted a pipeline ({', '.join(FLOWS)}) or a stage and its unit")
    for work in reversed(works):
        if work.key in chosen:
            chosen.update(work.inputs)
    return tuple(work for work in works if work.key in chosen)
