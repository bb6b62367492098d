"""What a run costs at the size of Common Crawl's dumps: tasks, hours, memory, disk, storage, requests.

Rates are those that benchmarks/rates.py measured on one core (pipeline/rates.json), per byte of what `gb_are` there
says; amounts are those of pipeline/dump_amounts.py.  docs/operating.md tells the same with its arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from pipeline.dump_amounts import DUMP, GB, OTHER, bucket_share, identified_bytes
from pipeline.needs import first_part
from pipeline.plan import KIND_OF, Plan

RATES = Path(__file__).with_name("rates.json")
LONGEST_MINUTES = 60.0  # no task should take longer (docs/operating.md)
MOST_TASKS = 1_000  # of a dump
MOST_SLICES = 200  # the setting's bound
AIRFLOW_TASKS = 13  # of a corpus run beside the stages: wait, begin, ten lists of units, finish
HASH_BYTES, LOSS_BYTES, MARK_BYTES = 9, 8, 8  # of a distinct line, of a lost line, of a document
MERGE_BYTES = 45  # of a hash while hash_paragraphs merges a range: entries, order, both in order
SAMPLE_MEMORY_BYTES = 20  # of a character while SentencePiece trains (measured at 8 million)
DOWNLOADS = frozenset({"fetch", "fetch_robots"})  # they wait for the network
TRAINING = frozenset({"pretrain", "export", "evaluate", "report"})  # a matter of GPUs: docs/training.md


@dataclass(frozen=True)
class StageCost:
    """One stage of a run.  Minutes are of the largest unit on one core; disk is what a task brings from the
    store and writes."""

    stage: str
    tasks: int
    core_hours: float
    longest_task_minutes: float
    memory_gib: float
    disk_gb: float
    stored_bytes: float
    requests: float


@cache
def rates() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RATES.read_text(encoding="utf-8"))
    return found


def estimate(plan: Plan) -> dict[str, Any]:
    """The cost of each stage, and of all; training on GPUs is left out."""
    costs: list[StageCost] = []
    stored: dict[str, float] = {}
    for stage in plan.run.stages:
        if stage not in TRAINING and plan.own_units(stage):
            costs.append(StageEstimate(plan, stage).cost(stored))
            stored[stage] = costs[-1].stored_bytes
    dumps = max(1, len(plan.crawls))
    tasks = sum(cost.tasks for cost in costs)
    found = {
        "dumps": dumps,
        "kind": getattr(plan.settings, "kind", "wet"),
        "dump": asdict(DUMP),
        "other": asdict(OTHER),
        "measured": {name: rates()[name] for name in ("date", "machine", "command", "crawl")},
        "stages": [asdict(cost) for cost in costs],
        "tasks": tasks,
        "core_hours": round(sum(cost.core_hours for cost in costs), 1),
        "longest_task_minutes": max((cost.longest_task_minutes for cost in costs), default=0.0),
        "memory_gib": max((cost.memory_gib for cost in costs), default=0.0),
        "stored_bytes": sum(cost.stored_bytes for cost in costs),
        "requests": round(sum(cost.requests for cost in costs)),
    }
    return found | {"notes": list(_notes(plan, costs))}


def _notes(plan: Plan, costs: Sequence[StageCost]) -> list[str]:
    """What does not fit, in plain words."""
    long = [cost for cost in costs if cost.longest_task_minutes > LONGEST_MINUTES]
    found = [_too_long(cost) for cost in long]
    if any(KIND_OF[cost.stage] == "slices" for cost in long):
        found.append(_advice(plan, max(cost.longest_task_minutes for cost in long if KIND_OF[cost.stage] == "slices")))
    if any(cost.stage == "filter_documents" for cost in costs) and plan.filters_documents:
        found.append("filter_documents: what filters, masks and robots_agents cost is not in this estimate")
    tasks = AIRFLOW_TASKS + sum(cost.tasks for cost in costs)
    if plan.run.name == "corpus" and tasks > MOST_TASKS:
        found.append(f"{tasks:,} tasks with Airflow's own, more than {MOST_TASKS:,}: lower `slices` or `dedup_ranges`")
    return found


def _too_long(cost: StageCost) -> str:
    where = f"at {OTHER.download_bytes_per_s / 1e6:.0f} MB/s" if cost.stage in DOWNLOADS else "on one core"
    return (
        f"{cost.stage}: its longest task takes {cost.longest_task_minutes:,.0f} minutes {where}, "
        f"more than {LONGEST_MINUTES:.0f}"
    )


def _advice(plan: Plan, minutes: float) -> str:
    needed = ceil(plan.settings.slices * minutes / LONGEST_MINUTES)
    if needed <= MOST_SLICES:
        return f"slices={needed} brings each of these below {LONGEST_MINUTES:.0f} minutes"
    share = MOST_SLICES / needed
    return (
        f"this would need {needed:,} slices, and `slices` stops at {MOST_SLICES}: with slices={MOST_SLICES} read at "
        f"most {DUMP.files * share:,.0f} of the files (`segments`), or the dump's WET files"
    )


class StageEstimate:
    """One stage of a plan, from the bytes that each of its units reads."""

    def __init__(self, plan: Plan, stage: str) -> None:
        self.plan = plan
        self.stage = stage
        self.units = plan.own_units(stage)
        warc = stage == "extract" and getattr(plan.settings, "kind", "wet") == "warc"
        self.rate = _rate_of("extract warc" if warc else stage)
        self.slices = getattr(plan.settings, "slices", 1)
        self.ranges = getattr(plan.settings, "dedup_ranges", 1)

    def cost(self, earlier: Mapping[str, float]) -> StageCost:
        """`earlier`: bytes that the stages before it store."""
        sizes = [self._bytes(unit) for unit in self.units]
        seconds = [self._seconds(unit, size) for unit, size in zip(self.units, sizes, strict=True)]
        stored = [self._stored(unit, size) for unit, size in zip(self.units, sizes, strict=True)]
        waits = [size / OTHER.download_bytes_per_s if self.stage in DOWNLOADS else 0.0 for size in sizes]
        each = dict(zip(self.units, map(max, seconds, waits), strict=True))
        tasks = self.plan.tasks(self.stage)
        longest = max((sum(each[unit] for unit in task) for task in tasks), default=0.0)
        read = self._read(sizes, earlier)
        disk = max((size * read / max(sum(sizes), 1) + out for size, out in zip(sizes, stored, strict=True)), default=0)
        return StageCost(
            self.stage, len(tasks), round(sum(seconds) / 3600, 2), round(longest / 60, 1),
            round(self._memory_gib(max(sizes, default=0.0)), 1), round(disk / GB, 1), sum(stored),
            round(self._requests(read + sum(stored))),
        )  # fmt: skip

    def _read(self, sizes: Sequence[float], earlier: Mapping[str, float]) -> float:
        """Bytes that all units bring from the store: what an earlier stage stored, of buckets their share."""
        source = READS.get(self.stage)
        if source is None:
            return 0.0
        share = bucket_share(self.plan.settings.buckets) if source == "regroup" else 1.0
        return earlier.get(source, sum(sizes) * ASSUMED_COMPRESSION) * share

    def _stored(self, unit: str, size: float) -> float:
        if self.stage == "identify":  # only what is kept is written
            size = identified_bytes(self.languages_of(first_part(unit))) / self.slices
        if self.stage == "extract":  # text, whatever it was taken from
            return DUMP.text_bytes / self.slices * float(_rate_of("extract")["stored_per_byte"])
        return size * float(self.rate.get("stored_per_byte", 0.0))

    def _bytes(self, unit: str) -> float:
        amount = AMOUNTS.get(self.stage)
        return amount(self, unit) if amount else 0.0

    def _seconds(self, unit: str, size: float) -> float:
        """Of a stage without an amount: by the manifests that it reads."""
        if self.stage not in AMOUNTS:
            return float(self.rate.get("seconds_per_input", 0.0) * len(self.plan.work(self.stage, unit).inputs))
        seconds = float(size / GB * self.rate["seconds_per_gb"])
        if self.stage == "filter_perplexity":
            return seconds * OTHER.large_model_factor
        if self.stage == "choose_cut_offs":  # reading the samples, and scoring one of them
            scoring = _rate_of("filter_perplexity")["seconds_per_gb"] * OTHER.large_model_factor
            return seconds + self.sample_bytes(1.0) / GB * float(scoring)
        return seconds

    def _memory_gib(self, size: float) -> float:
        """What the benchmark's small unit took, and what grows: models, hashes, samples."""
        extra = grows(self, size) if (grows := MEMORY.get(self.stage)) else 0.0
        return float(self.rate.get("peak_gib", 0.5)) + extra

    def _requests(self, moved_bytes: float) -> float:
        """Manifests and artifacts read and written and what every task asks, one request each; and a request for
        each 8 MiB of large artifacts (boto3's parts)."""
        if not self.units:
            return 0.0
        middle = self.plan.work(self.stage, self.units[len(self.units) // 2])
        moves = REQUESTS.get(self.stage)
        each = len(middle.inputs) + (moves(self) if moves else 2) + FIXED_REQUESTS
        return float(len(self.units) * each + moved_bytes / PART_BYTES)

    def languages_of(self, crawl: str) -> tuple[str, ...]:
        """Those that are taken from a dump."""
        settings = self.plan.settings
        chosen = getattr(settings, "languages_of", lambda crawl: settings.languages)(crawl)
        return tuple(chosen)

    def language_bytes(self, language: str) -> float:
        """A language's text in the slices of all dumps that it is taken from."""
        dumps = getattr(self.plan.settings, "dumps_of", {}).get(language, self.plan.crawls)
        return identified_bytes((language,)) * max(1, len(dumps))

    def part_bytes(self, unit: str) -> float:
        return self.language_bytes(first_part(unit)) / int(unit.split("-of-")[1])

    def released_bytes(self, unit: str) -> float:
        return self.part_bytes(unit) * bucket_share(self.plan.settings.buckets)

    def sample_bytes(self, samples: float) -> float:
        """Text of this many samples of a dump's languages."""
        languages = len(self.plan.settings.languages)
        return float(samples * languages * self.plan.settings.cut_off_sample * DUMP.document_bytes)

    def distinct_lines(self) -> float:
        """Of a slice."""
        return float(DUMP.text_bytes / self.slices / DUMP.line_bytes * DUMP.distinct_lines)


# stage -> bytes that one unit reads: the same bytes that benchmarks/rates.py divides by (`gb_are` in rates.json)
AMOUNTS: dict[str, Callable[[StageEstimate, str], float]] = {
    "train_lm": lambda found, unit: OTHER.reference_bytes,
    "fetch": lambda found, unit: _crawl_bytes(found) / found.slices,
    "extract": lambda found, unit: (
        DUMP.warc_gz_bytes if found.plan.settings.kind == "warc" else DUMP.text_bytes
    ) / found.slices,
    "hash_paragraphs": lambda found, unit: DUMP.text_bytes / found.slices,
    "find_duplicates": lambda found, unit: found.distinct_lines() * HASH_BYTES * found.slices / found.ranges
    * (1 + len(found.plan.earlier_crawls(first_part(unit))) * (found.plan.settings.dedup == "global")),
    "deduplicate": lambda found, unit: DUMP.text_bytes / found.slices,
    "identify": lambda found, unit: DUMP.text_bytes * DUMP.kept_after_dedup / found.slices,
    "choose_cut_offs": lambda found, unit: found.sample_bytes(found.slices),
    "filter_perplexity": lambda found, unit: identified_bytes(found.languages_of(first_part(unit))) / found.slices,
    "find_copies": lambda found, unit: found.language_bytes(unit) / DUMP.document_bytes * MARK_BYTES,
    "fetch_robots": lambda found, unit: DUMP.robots_gz_bytes / found.slices,
    "read_robots": lambda found, unit: DUMP.robots_gz_bytes / found.slices,
    "gather_robots": lambda found, unit: DUMP.robots_gz_bytes,
    "list_hosts": lambda found, unit: found.part_bytes(unit),
    "regroup": lambda found, unit: found.part_bytes(unit),
    "sample_vocabulary": lambda found, unit: found.released_bytes(unit),
    "train_vocabulary": lambda found, unit: float(found.plan.settings.sample_characters),
    "encode": lambda found, unit: found.released_bytes(unit),
}  # fmt: skip
# stage -> GiB beside what a small unit took; `size` is what the largest unit reads
MEMORY: dict[str, Callable[[StageEstimate, float], float]] = {
    "hash_paragraphs": lambda found, size: found.distinct_lines() / found.ranges * MERGE_BYTES / 2**30,
    "find_duplicates": lambda found, size: float(found.plan.settings.dedup_memory_gib),
    "deduplicate": lambda found, size: found.distinct_lines() * DUMP.lost_lines * LOSS_BYTES / 2**30,
    "identify": lambda found, size: OTHER.identifier_gib + found.sample_bytes(1.0) / 2**30,
    "choose_cut_offs": lambda found, size: found.sample_bytes(1.0) / 2**30 + OTHER.language_model_gib,
    "filter_perplexity": lambda found, size: OTHER.language_model_gib,
    "find_copies": lambda found, size: found.plan.settings.dedup_memory_gib + size / MARK_BYTES / 2**30,
    "train_vocabulary": lambda found, size: size * SAMPLE_MEMORY_BYTES / 2**30,
}
FIXED_REQUESTS = 4  # the manifest looked for twice and put, progress deleted (rates.json)
PART_BYTES = 8 * 2**20
ASSUMED_COMPRESSION = 0.4  # of text in Parquet, where the run has not the stage that wrote it
# stage -> the stage whose artifacts it reads whole
READS = {
    "extract": "fetch", "hash_paragraphs": "extract", "find_duplicates": "hash_paragraphs", "deduplicate": "extract",
    "identify": "deduplicate", "choose_cut_offs": "samples", "filter_perplexity": "identify",
    "read_robots": "fetch_robots", "gather_robots": "read_robots", "list_hosts": "filter_perplexity",
    "regroup": "filter_perplexity",
    "sample_vocabulary": "regroup", "encode": "regroup",
}  # fmt: skip
# stage -> artifacts that a unit reads and writes; others: one of each
REQUESTS: dict[str, Callable[[StageEstimate], float]] = {
    "fetch": lambda found: 2 * DUMP.files / found.slices,
    "extract": lambda found: DUMP.files / found.slices + 1,
    "hash_paragraphs": lambda found: 1 + found.ranges,
    "gather_hashes": lambda found: 0,
    "find_duplicates": lambda found: 2 * found.slices,
    "deduplicate": lambda found: 2 + found.ranges,
    "identify": lambda found: 4 + len(found.plan.settings.languages),
    "choose_cut_offs": lambda found: found.slices + 2 * len(found.plan.settings.languages),
    "filter_perplexity": lambda found: 2 + 5 * len(found.plan.settings.languages),
    "filter_documents": lambda found: 0,
    "summarize": lambda found: 2 + 2 * found.slices,
    "find_copies": lambda found: 2 * len(found.plan.slices_of_part(f"{found.units[0]}/00000-of-00001")),
    "fetch_robots": lambda found: 2 * DUMP.files / found.slices,
    "read_robots": lambda found: DUMP.files / found.slices + 1,
    "gather_robots": lambda found: found.slices + 1,
    "list_hosts": lambda found: len(found.plan.slices_of_part(found.units[0])) + 1,
    "regroup": lambda found: 2 * len(found.plan.slices_of_part(found.units[0])) + 10,
    "publish": lambda found: float(len(found.plan.units("regroup"))),
    "train_vocabulary": lambda found: float(len(found.plan.units("sample_vocabulary"))),
}


def _crawl_bytes(found: StageEstimate) -> float:
    return DUMP.warc_gz_bytes if found.plan.settings.kind == "warc" else DUMP.wet_gz_bytes


def _rate_of(stage: str) -> dict[str, Any]:
    known = rates()
    found: dict[str, Any] = known["stages"].get(stage) or known["without_an_amount"].get(stage) or {}
    return found


def estimate_table(found: dict[str, Any]) -> Group:
    """At most 80 columns wide."""
    dumps, kind = found["dumps"], str(found["kind"]).upper()
    title = f"{dumps} dump{'s' if dumps != 1 else ''} of {found['dump']['files']:,} {kind} files"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for name in ("tasks", "core-hours", "longest, min", "GiB", "disk, GB", "TB stored"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found["stages"]:
        table.add_row(
            row["stage"], f"{row['tasks']:,}", f"{row['core_hours']:,.1f}", f"{row['longest_task_minutes']:.1f}",
            f"{row['memory_gib']:.1f}", f"{row['disk_gb']:,.1f}", f"{row['stored_bytes'] / 1e12:,.2f}",
        )  # fmt: skip
    return Group(table, *_summary(found))


def _summary(found: dict[str, Any]) -> list[str]:
    speed = found["other"]["download_bytes_per_s"] / 1e6
    return [
        f"{found['tasks']:,} tasks, {found['core_hours']:,.0f} core-hours, longest task "
        f"{found['longest_task_minutes']:.0f} minutes, {found['stored_bytes'] / 1e12:,.1f} TB stored, "
        f"{found['requests'] / 1e6:,.1f} million requests.",
        f"longest, GiB and disk are of one task on one core; fetch is taken to get {speed:.0f} MB/s.",
        f"Rates: {found['measured']['machine']}, {found['measured']['date']}.  Training on GPUs is not part of it.",
        *(f"NOTE {note}." for note in found["notes"]),
    ]
