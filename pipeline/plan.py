"""What a run does: the units of its stages and the key of the manifest that each leaves.

A key is a function of the settings, the deployment and the manifests that the run builds on, so a plan can be made,
shown, followed and resumed without running anything.  Each unit's key is worked out once, from those that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import ceil
from typing import Any

from pipeline import stages
from pipeline.deployment import Deployment
from pipeline.dump_amounts import gib_of_a_dump
from pipeline.errors import BadConfig
from pipeline.launchers.settings import Launcher, Processes
from pipeline.manifest import fingerprint, parse_key
from pipeline.needs import first_part
from pipeline.runs import END_TO_END, Run, RunSettings
from pipeline.sources import sources
from pipeline.stage import Stage, StageConfig
from pipeline.stages.evaluate import seeds_of, unit_of
from pipeline.stages.find_removals import Removals
from pipeline.stages.regroup import NOT_YET


@dataclass(frozen=True)
class Work:
    """One unit of one stage, with the key of the manifest that it leaves."""

    stage: str
    unit: str
    config: StageConfig
    inputs: tuple[str, ...]
    key: str
    launcher: Launcher = field(
        default_factory=Processes
    )  # where pretraining runs: the deployment's, no part of the key


class Plan:
    """One run.  `given` are the keys of the manifests that it builds on; `earlier` those of the hashes of the dumps
    before this one (dedup=global).  `removals` reads what `find_removals` left at a key, None where it has not run:
    the parts of that language have no final key then."""

    def __init__(
        self,
        run: Run,
        settings: RunSettings,
        deployment: Deployment,
        given: Iterable[str] = (),
        earlier: Sequence[str] = (),
        removals: Callable[[str], Removals | None] = lambda key: None,
    ) -> None:
        self.run = run
        self.settings: Any = settings
        self.deployment = deployment
        self.earlier = tuple(first_part(parse_key(key)[1]) for key in earlier)
        self._given: dict[str, dict[str, str]] = {}
        for key in (*given, *earlier):
            stage, unit, _ = parse_key(key)
            self._given.setdefault(stage, {})[unit] = key
        self._units: dict[str, tuple[str, ...]] = {}
        self._by_crawl: dict[str, dict[str, list[str]]] = {}
        self._works: dict[tuple[str, str], Work] = {}
        self._slices_of_language = cache(self._find_slices_of_language)
        self._removals = cache(removals)

    # What there is, as pipeline.needs asks for it.

    def units(self, stage: str) -> tuple[str, ...]:
        """The units of a stage: the run's own, and those that were given."""
        if stage not in self._units:
            own = self.own_units(stage) if stage in self.run.stages else ()
            self._units[stage] = (*(unit for unit in sorted(self._given.get(stage, ())) if unit not in own), *own)
        return self._units[stage]

    def units_of_crawl(self, stage: str, crawl: str) -> Sequence[str]:
        if stage not in self._by_crawl:
            found = self._by_crawl.setdefault(stage, {})
            for unit in self.units(stage):
                found.setdefault(first_part(unit), []).append(unit)
        return self._by_crawl[stage].get(crawl, ())

    def earlier_crawls(self, crawl: str) -> Sequence[str]:
        """Of a dump of its own: those that came before (pipeline/dump_order.py); of several: those of lower ids."""
        return [other for other in self.crawls if other < crawl] if self.run is END_TO_END else self.earlier

    def slices_of_part(self, part: str) -> Sequence[str]:
        """Neighbouring slices; of sw/00001-of-00003 the second third of those that Swahili is taken from."""
        language, cut = part.split("/")
        index, count = map(int, cut.split("-of-"))
        slices = self._slices_of_language(language)
        return slices[len(slices) * index // count : len(slices) * (index + 1) // count]

    def parts_of(self, language: str) -> tuple[str, ...]:
        """The parts in which a language is gathered, as many as its size asks for, at most one a slice.

        Sizes are those of the paper's Table 6, whose languages are of one dump or of twelve.
        """
        slices = self._slices_of_language(language)
        gib = gib_of_a_dump(language) * len({first_part(unit) for unit in slices})
        count = max(1, min(len(slices), ceil(gib / self.settings.part_gib)))
        return tuple(f"{language}/{index:05d}-of-{count:05d}" for index in range(count))

    # What it comes to.

    @cached_property
    def crawls(self) -> tuple[str, ...]:
        if hasattr(self.settings, "crawl"):
            return (self.settings.crawl,)
        return tuple(getattr(self.settings, "dumps", ())) or tuple(sorted(self._given.get("summarize", ())))

    def work(self, stage: str, unit: str) -> Work:
        """One unit of the run's stages.  Raises BadConfig."""
        if (stage, unit) not in self._works:
            if stage not in self.run.stages or unit not in self._own_units(stage):
                raise BadConfig(
                    f"{stage} {unit}: not a unit of this {self.run.name} run: see `xlmr plan {self.run.name}`"
                )
            loaded = stages.load(stage)
            config = self._config(loaded, unit)
            needed = (
                self._key(name, other)
                for name, need in loaded.needs.items()
                for other in need(self, name, config, unit)
            )
            named = (
                self._given[name][other]
                for name, need in loaded.builds_on.items()
                for other in need(self, name, config, unit)
            )
            inputs = tuple(sorted((*needed, *named)))
            key = loaded.key(config, unit, inputs)
            self._works[stage, unit] = Work(stage, unit, config, inputs, key, self.deployment.launcher)
        return self._works[stage, unit]

    def works(self, *names: str) -> tuple[Work, ...]:
        """All work, or that of these stages, each after what it reads."""
        return tuple(self.work(stage, unit) for stage in self.run.stages if not names or stage in names
                     for unit in self.own_units(stage))  # fmt: skip

    def own_units(self, stage: str) -> tuple[str, ...]:
        """The units of a stage that this run makes, in order."""
        return tuple(KINDS[KIND_OF[stage]](self))

    def tasks(self, stage: str) -> tuple[tuple[str, ...], ...]:
        """The units of a stage as Airflow runs them: one a task; several where a slice costs little or the deployment
        bounds the tasks of a stage."""
        units = self.own_units(stage)
        most = self.deployment.most_tasks
        if most and len(units) > most:
            return _cut(units, ceil(len(units) / most))
        few = MOST_TASKS_A_DUMP.get(stage)
        if few is None or (stage == "filter_documents" and self.filters_documents):
            return _cut(units, 1)
        slices = self.settings.slices
        dumps = _cut(units, slices)
        return tuple(task for dump in dumps for task in _cut(dump, ceil(slices / few)))

    @property
    def filters_documents(self) -> bool:
        """Whether filter_documents writes documents, not only takes them over."""
        asked = (getattr(self.settings, name, ()) for name in ("mask_contacts", "robots_agents"))
        return bool(self.deployment.filters) or any(asked)

    @property
    def last(self) -> Work:
        """What is there when the run is finished."""
        stage = self.run.stages[-1]
        return self.work(stage, self.own_units(stage)[-1])

    def ends(self) -> list[Work]:
        """The work that no other work of the run reads: when it is there, all is."""
        works = self.works()
        read = {key for work in works for key in work.inputs}
        return [work for work in works if work.key not in read]

    @cached_property
    def series(self) -> str:
        """Dumps whose hashes can be compared: same source, same extraction, same ranges."""
        first = (stages.load(name) for name in ("fetch", "extract", "hash_paragraphs"))
        configs = {stage.name: [stage.version, self._config(stage, "").model_dump(mode="json")] for stage in first}
        return fingerprint("series", 1, "", configs, ())

    @cache  # noqa: B019  # a plan lives as long as its process needs it
    def _own_units(self, stage: str) -> frozenset[str]:
        return frozenset(self.own_units(stage))

    def _key(self, stage: str, unit: str) -> str:
        given = self._given.get(stage, {}).get(unit)
        return given if given is not None else self.work(stage, unit).key

    def _config(self, stage: Stage, unit: str) -> StageConfig:
        """The run's settings that the stage reads, and what only the deployment or the unit says."""
        names = stage.config.model_fields
        values = {name: getattr(self.settings, name) for name in names if hasattr(self.settings, name)}
        special = SPECIAL.get(stage.name)
        return stage.parse(values | special(self, unit) if special else values)

    def _find_slices_of_language(self, language: str) -> tuple[str, ...]:
        dumps = getattr(self.settings, "dumps_of", {}).get(language, self.crawls)
        return tuple(unit for crawl in sorted(dumps) for unit in self.units_of_crawl("filter_documents", crawl))

    def removed_from(self, part: str) -> tuple[str, ...]:
        """The entries of the removal list that concern a part of the release."""
        if not self.deployment.removals:
            return ()
        key = self._key("find_removals", first_part(part))
        found = self._removals(key)
        return (f"{NOT_YET} {key}",) if found is None else found.get(part, ())

    def ingested(self) -> dict[str, dict[str, Any]]:
        """Unit of `ingest` -> its config, of what the deployment names and the run reads."""
        found = {}
        for unit, values in sources(self.deployment, self.settings, self._benchmarks_read):
            if any(unit == name or (name.endswith("/") and unit.startswith(name)) for name in self.run.ingests):
                found[unit] = values | {"sha256": self.deployment.digests.get(unit, "")}
        return found

    @property
    def _benchmarks_read(self) -> tuple[str, ...]:
        """Those that the run scores on, and those that it compares documents with."""
        scored = self.settings.benchmarks if "evaluate" in self.run.stages else ()
        compared = self.settings.decontaminate_against if self.decontaminates else ()
        return tuple(dict.fromkeys((*scored, *compared)))

    @property
    def decontaminates(self) -> bool:
        """Whether documents are compared with the benchmarks.  Raises BadConfig where the deployment names none."""
        if getattr(self.settings, "decontaminate", "off") == "off":
            return False
        if not self.deployment.benchmark_data:
            raise BadConfig(
                f"decontaminate={self.settings.decontaminate}: the deployment names no benchmark_data: set it to the "
                "folder of the benchmarks' files, or to official"
            )
        return True


def _cut(units: Sequence[str], size: int) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(units[start : start + size]) for start in range(0, len(units), size))


def _slices(plan: Plan) -> Sequence[str]:
    """Units of the stages of a dump, e.g. CC-MAIN-2019-35/00000-of-00002 (CCNet's shards)."""
    count = plan.settings.slices
    return [f"{crawl}/{index:05d}-of-{count:05d}" for crawl in plan.crawls for index in range(count)]


def _ranges(plan: Plan) -> Sequence[str]:
    """Units of find_duplicates, e.g. CC-MAIN-2019-35/range-00000-of-00001."""
    count = plan.settings.dedup_ranges
    return [f"{crawl}/range-{index:05d}-of-{count:05d}" for crawl in plan.crawls for index in range(count)]


def _parts(plan: Plan) -> Sequence[str]:
    """Those of the release that came in, else those that the run makes."""
    if "regroup" not in plan.run.stages:
        return plan.units("regroup")
    return [part for language in plan.settings.languages for part in plan.parts_of(language)]


def _if_removals(units: Callable[[Plan], Sequence[str]]) -> Callable[[Plan], Sequence[str]]:
    return lambda plan: units(plan) if plan.deployment.removals else ()


def _checkpoint(plan: Plan) -> Sequence[str]:
    return (plan.settings.checkpoint_name,)


# What a stage is cut into, and the units of each kind.
KINDS: dict[str, Callable[[Plan], Sequence[str]]] = {
    "inputs": lambda plan: tuple(plan.ingested()),
    "classifier": lambda plan: ("all",),
    "languages": lambda plan: tuple(plan.settings.languages),
    "slices": _slices,
    "dumps": lambda plan: plan.crawls,
    "ranges": _ranges,
    "parts": _parts,
    "slices_with_robots": lambda plan: _slices(plan) if plan.settings.robots_agents else (),
    "dumps_with_robots": lambda plan: plan.crawls if plan.settings.robots_agents else (),
    "parts_with_removals": _if_removals(_parts),
    "languages_with_removals": _if_removals(lambda plan: tuple(plan.settings.languages)),
    "benchmark_index": lambda plan: ("all",) if plan.decontaminates else (),
    "release": lambda plan: (plan.settings.release,),
    "vocabulary": lambda plan: (plan.settings.vocabulary_name,),
    "checkpoint": _checkpoint,
    "benchmarks": lambda plan: tuple(
        unit_of(name, seed)
        for name in plan.settings.benchmarks
        for seed in seeds_of(plan.settings, name, plan.settings.seeds)
    ),
}
ONE_UNIT = frozenset({"classifier", "release", "vocabulary", "checkpoint"})
KIND_OF = {
    "ingest": "inputs",
    "train_lid": "classifier",
    "train_lm": "languages",
    "fetch": "slices",
    "extract": "slices",
    "hash_paragraphs": "slices",
    "gather_hashes": "dumps",
    "find_duplicates": "ranges",
    "deduplicate": "slices",
    "identify": "slices",
    "choose_cut_offs": "dumps",
    "filter_perplexity": "slices",
    "fetch_robots": "slices_with_robots",
    "read_robots": "slices_with_robots",
    "gather_robots": "dumps_with_robots",
    "filter_documents": "slices",
    "summarize": "dumps",
    "index_benchmarks": "benchmark_index",
    "find_copies": "languages",
    "list_hosts": "parts_with_removals",
    "find_removals": "languages_with_removals",
    "regroup": "parts",
    "publish": "release",
    "sample_vocabulary": "parts",
    "train_vocabulary": "vocabulary",
    "encode": "parts",
    "pretrain": "checkpoint",
    "export": "checkpoint",
    "evaluate": "benchmarks",
    "report": "checkpoint",
}


# Stages of which a slice costs little: where a dump has more slices than this, several share a task, so that a dump has
# at most a thousand tasks and each takes less than an hour (docs/operating.md).
MOST_TASKS_A_DUMP = {
    "fetch": 100,
    "fetch_robots": 10,
    "read_robots": 20,
    "hash_paragraphs": 100,
    "identify": 100,
    "filter_documents": 4,
}


def _cut_off_sample(plan: Plan, unit: str) -> dict[str, Any]:
    """None is taken where cut-offs are given."""
    return {"cut_off_sample": 0} if plan.deployment.cut_offs else {}


def _identify(plan: Plan, unit: str) -> dict[str, Any]:
    taken = getattr(plan.settings, "languages_of", lambda crawl: plan.settings.languages)
    return {"languages": taken(first_part(unit)), **_cut_off_sample(plan, unit)}


def _evaluate(plan: Plan, unit: str) -> dict[str, Any]:
    benchmark, seed = unit.split("/seed-")
    return {"benchmark": benchmark, "seed": int(seed)}


def _gather_hashes(plan: Plan, unit: str) -> dict[str, Any]:
    """Dumps that a run names together have the order of their ids; a dump of its own takes a place when it comes."""
    alone = plan.run is not END_TO_END and plan.settings.dedup == "global"
    return {"series": plan.series if alone else ""}


# stage -> what is in no run's settings under the config's name
SPECIAL: dict[str, Callable[[Plan, str], dict[str, Any]]] = {
    "ingest": lambda plan, unit: plan.ingested()[unit],
    "fetch": lambda plan, unit: {"source": plan.deployment.source},
    "fetch_robots": lambda plan, unit: {"source": plan.deployment.source},
    "identify": _identify,
    "choose_cut_offs": _cut_off_sample,
    "gather_hashes": _gather_hashes,
    "regroup": lambda plan, unit: {"removed": plan.removed_from(unit)} if unit else {},
    "evaluate": _evaluate,
}


def select(plan: Plan, stage: str, unit: str | None = None) -> tuple[Work, ...]:
    """The work of a stage, or of one of its units, with all of the run's that it needs.  Raises BadConfig."""
    if stage not in plan.run.stages:
        raise BadConfig(f"{stage!r} is not a stage of the {plan.run.name} run: wanted {', '.join(plan.run.stages)}")
    wanted = plan.works(stage) if unit is None else (plan.work(stage, unit),)
    chosen = {work.key for work in wanted}
    works = plan.works()
    for work in reversed(works):
        if work.key in chosen:
            chosen.update(work.inputs)
    return tuple(work for work in works if work.key in chosen)
