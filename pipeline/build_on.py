"""Which manifests a run builds on: the current models, dumps, release, vocabulary or checkpoint that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline import dump_order
from pipeline.current import current, current_or_none, names
from pipeline.deployment import Deployment
from pipeline.errors import PermanentError, TransientError
from pipeline.plan import Plan
from pipeline.runs import CORPUS, Run, RunSettings
from pipeline.store import ArtifactStore

NAMED = 12  # of missing things that a message names


class MissingModels(PermanentError):
    """Languages without a language model, where the settings say that this is an error."""


class Waiting(TransientError):
    """Models or dumps are not there, and the settings say to wait for them."""


class MissingDumps(PermanentError):
    """A release names dumps that no corpus run has finished."""


def named_manifests(run: Run, settings: RunSettings, store: ArtifactStore) -> tuple[str, ...]:
    """The keys of the manifests that the settings name.  They are looked up once, when a run starts: what comes
    later does not change it.  Raises MissingArtifact, MissingModels, Waiting, MissingDumps."""
    find = FINDERS.get(run.name)
    return find(settings, store) if find else ()


def make_plan(
    run: Run, settings: RunSettings, deployment: Deployment, store: ArtifactStore, named: Iterable[str]
) -> Plan:
    """The plan of a run that builds on these manifests and on what they were made from."""
    given = [store.key(uri) for uri in named]
    level = given
    while level:
        opened = [key for key in level if key.split("/", 1)[0] in run.through]
        level = sorted({key for opened_key in opened for key in store.manifest(opened_key).inputs} - set(given))
        given += level
    plan = Plan(run, settings, deployment, given)
    if run is CORPUS and plan.settings.dedup == "global":
        hashes = plan.work("gather_hashes", plan.settings.crawl).key
        return Plan(run, settings, deployment, given, dump_order.earlier(store, plan.series, hashes))
    return plan


def _language_models(settings: Any, store: ArtifactStore) -> tuple[str, ...]:
    found = {language: current_or_none(store, "language_model", language) for language in settings.languages}
    classifier = current_or_none(store, "classifier", "all")
    missing = [language for language, key in found.items() if key is None]
    if (missing or classifier is None) and settings.missing_models != "skip":
        what = f"language models of {_list(missing)}" if missing else "the language classifier"
        said = f"{what} not made yet: run xlmr_language_models (`xlmr language-models`) for these languages"
        if settings.missing_models == "wait":
            raise Waiting(said)
        raise MissingModels(f"{said}, or set missing_models to wait or skip")
    return tuple(key for key in (classifier, *found.values()) if key)


def _dumps(settings: Any, store: ArtifactStore) -> tuple[str, ...]:
    wanted = settings.dumps or tuple(names(store, "dump"))
    found = {crawl: current_or_none(store, "dump", crawl) for crawl in wanted}
    missing = [crawl for crawl, key in found.items() if key is None]
    if missing:
        said = f"release {settings.release}: no finished corpus run of {_list(missing)}: start xlmr_corpus for them"
        raise Waiting(said) if settings.missing_dumps == "wait" else MissingDumps(said)
    if not found:
        raise MissingDumps(f"release {settings.release}: the store has no finished dump: start xlmr_corpus first")
    return tuple(key for key in found.values() if key)


def _list(missing: list[str]) -> str:
    rest = len(missing) - NAMED
    return ", ".join(missing[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


FINDERS: dict[str, Callable[[Any, ArtifactStore], tuple[str, ...]]] = {
    "corpus": _language_models,
    "release": _dumps,
    "vocabulary": lambda settings, store: (current(store, "release", settings.release),),
    "pretrain": lambda settings, store: (current(store, "vocabulary", settings.vocabulary),),
    "evaluate": lambda settings, store: (current(store, "checkpoint", settings.checkpoint),),
}
