"""Filters beyond CCNet's (block lists, heuristics, boilerplate, masks), off unless a run asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_serializer, field_validator

from ccnet.contacts import ContactKind
from pipeline.draft import Draft
from pipeline.needs import named, same_crawl, same_unit
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.filter_perplexity import SliceDescription
from pipeline.stages.identify import DOCUMENTS, language_of
from pipeline.stages.read_robots import ROBOTS

if TYPE_CHECKING:
    from ccnet.robots import RobotsRules

EXCLUDED = "excluded"
REASONS = "reasons.json"  # language -> why documents were dropped -> how many


MASKED = "masked.json"  # language -> kind of contact -> how many were masked
ADDRESSES: tuple[ContactKind, ...] = ("email", "ip")  # what `true` stands for


class FilterDocumentsConfig(StageConfig):
    mask_contacts: tuple[ContactKind, ...] = Field(
        default=(),
        description="contacts to mask, by kind; true: email and ip; phone: international form, in languages of one "
        "country (ccnet/contacts.py) also the national one",
    )
    robots_agents: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_*-]{1,40}$")], ...] = Field(
        default=(),
        max_length=20,
        exclude_if=lambda agents: not agents,
        description="crawlers such as CCBot, GPTBot, Google-Extended, *: a page that a host's robots.txt of the same "
        "dump disallows to any of them is dropped; empty: robots.txt is not read",
    )
    keep_excluded: bool = Field(
        default=False, description="write what the filters drop, with the reason, to files of its own"
    )

    @field_validator("mask_contacts", mode="before")
    @classmethod
    def _all_or_nothing(cls, kinds: Any) -> Any:
        if kinds in (True, [True], (True,)):
            return ADDRESSES
        return () if kinds in (False, [False], (False,)) else kinds

    @field_validator("mask_contacts", "robots_agents")
    @classmethod
    def _in_order(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(names)))

    @field_serializer("mask_contacts", mode="wrap")
    def _as_before(self, kinds: tuple[ContactKind, ...], serialize: Any) -> Any:
        """What could be said when there were two kinds is written as it was then: fingerprints stay."""
        return {(): False, ADDRESSES: True}.get(kinds) if kinds in ((), ADDRESSES) else serialize(kinds)


def filter_documents(config: FilterDocumentsConfig, inputs: Inputs, draft: Draft) -> None:
    """Without a filter the artifacts of filter_perplexity are taken over as they lie."""
    scored = inputs.one("filter_perplexity")
    given = inputs.of("ingest")
    if not (given or config.mask_contacts or config.robots_agents):
        for artifact in scored.artifacts:
            draft.reuse(artifact)
        kept = scored.counts["documents_written"]
        draft.add({"documents_in": kept, "documents_kept": kept})
        return
    from ccnet.filters import Filters, filter_shard, read_filters

    names = [artifact.name for artifact in scored.artifacts if language_of(artifact.name)]
    filters = read_filters(inputs.folder(given[0], draft.scratch("filters"))) if given else Filters()
    robots = _robots(config, inputs, [inputs.path(scored, name) for name in names])
    filters = replace(filters, mask=config.mask_contacts, robots=robots)
    dropped, masked = {}, {}
    described = SliceDescription(draft)
    for name in names:
        excluded = draft.path(name.replace(DOCUMENTS, EXCLUDED, 1)) if config.keep_excluded else None
        with described.language(language_of(name)) as on_batch:
            counts = filter_shard(inputs.path(scored, name), filters, draft.path(name), excluded, on_batch)
        dropped[language_of(name)] = _named(counts, "dropped_")
        masked[language_of(name)] = _named(counts, "masked_")
        draft.add(counts)
    described.write()
    draft.write_json(REASONS, dropped)
    if config.mask_contacts:
        draft.write_json(MASKED, masked)
    if robots and robots.broken:
        draft.add({"robots_broken": len(robots.broken)})


def _named(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix)}


def _robots(config: FilterDocumentsConfig, inputs: Inputs, documents: Sequence[Path]) -> RobotsRules | None:
    """The rules of the hosts of these documents."""
    if not config.robots_agents:
        return None
    from ccnet.robots import RobotsRules
    from ccnet.shards import read_batches

    urls = (
        url for path in documents for batch in read_batches(path, ["url"]) for url in batch.column("url").to_pylist()
    )
    return RobotsRules(inputs.path(inputs.one("gather_robots"), ROBOTS), config.robots_agents, urls)


STAGE = Stage(
    name="filter_documents",
    version=4,
    config=FilterDocumentsConfig,
    body=filter_documents,
    needs={"filter_perplexity": same_unit, "ingest": named("filters"), "gather_robots": same_crawl},
    optional=frozenset({"ingest", "gather_robots"}),
    packages=("pyarrow",),
)
