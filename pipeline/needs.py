"""Which units of an earlier stage one unit reads, as functions of the units that a run has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Available(Protocol):
    """The units of a run by stage, indexed so that no unit is searched for."""

    def units(self, stage: str) -> Sequence[str]:
        """All units of a stage, in the order of the run."""
        ...

    def units_of_crawl(self, stage: str, crawl: str) -> Sequence[str]:
        """The units of a stage that belong to one dump."""
        ...

    def earlier_crawls(self, crawl: str) -> Sequence[str]:
        """The dumps whose paragraphs come before this dump's (dedup=global)."""
        ...

    def slices_of_part(self, part: str) -> Sequence[str]:
        """The slices whose documents of its language a part of a release gathers."""
        ...

    def parts_of(self, language: str) -> Sequence[str]:
        """The parts of a release in which a language is gathered."""
        ...


BENCHMARKS = "benchmarks"  # unit of `ingest`: a folder of all; BENCHMARKS/NAME: the official files of one

# (the run's units, the earlier stage, the unit's config, the unit) -> units of the earlier stage
Need = Callable[[Available, str, Any, str], Sequence[str]]


def first_part(unit: str) -> str:
    """The dump of CC-MAIN-2019-35/00000-of-00002, the language of sw/00000-of-00003; a plain unit is itself."""
    return unit.split("/", 1)[0]


def same_unit(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return (unit,)


def same_crawl(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return available.units_of_crawl(stage, first_part(unit))


def dumps_so_far(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    """The unit's own dump, and where `dedup` is global the dumps before it."""
    crawl = first_part(unit)
    return (*available.earlier_crawls(crawl), crawl) if config.dedup == "global" else (crawl,)


def same_language(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return (first_part(unit),)


def all_units(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return available.units(stage)


def slices_of_part(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return available.slices_of_part(unit)


def slices_of_language(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return available.slices_of_part(f"{unit}/00000-of-00001")


def parts_of_language(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    return available.parts_of(unit)


def start_from(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    """The checkpoint that a pretraining goes on from."""
    return (config.start_from,) if config.start_from else ()


def training_release(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    """The release that replaces the vocabulary's."""
    return (config.training_release,) if config.training_release else ()


def benchmark_files(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
    """The folder of all benchmarks, or of those that the unit reads (`benchmark_data` of the deployment)."""
    read = (config.benchmark,) if hasattr(config, "benchmark") else config.decontaminate_against
    wanted = {BENCHMARKS, *(f"{BENCHMARKS}/{name}" for name in read)}
    return tuple(found for found in available.units(stage) if found in wanted)


def several(*needs: Need) -> Need:
    """What each of them asks for."""
    return lambda available, stage, config, unit: tuple(
        found for need in needs for found in need(available, stage, config, unit)
    )


def named(*names: str) -> Need:
    """Those of these units that the run has; {language} is replaced, and a name ending in / means all below it."""

    def need(available: Available, stage: str, config: Any, unit: str) -> Sequence[str]:
        wanted = tuple(name.format(language=unit) for name in names)
        return tuple(
            found
            for found in available.units(stage)
            if any(found == name or (name.endswith("/") and found.startswith(name)) for name in wanted)
        )

    return need
