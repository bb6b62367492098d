"""Which manifests a run builds on: the current models, dumps, release, vocabulary or checkpoint that it names."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pipeline import dump_order
from pipeline.checkpoint_source import UNITS, check_manifest, is_manifest, is_outside
from pipeline.current import current, current_or_none, names
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, PermanentError, TransientError
from pipeline.manifest import MANIFEST_NAME
from pipeline.outside import read_outside
from pipeline.plan import Plan
from pipeline.runs import CORPUS, EvaluateChoices, Run, RunSettings
from pipeline.stages import find_removals, ingest
from pipeline.stages.evaluate import check_choices
from pipeline.store import ArtifactStore

log = logging.getLogger(__name__)
NAMED = 12  # of missing things that a message names


class MissingModels(PermanentError):
    """Languages without a language model, where the settings say that this is an error."""


class Waiting(TransientError):
    """Models or dumps are not there, and the settings say to wait for them."""


class MissingDumps(PermanentError):
    """A release names dumps that no corpus run has finished."""


def named_manifests(run: Run, settings: RunSettings, deployment: Deployment, store: ArtifactStore) -> tuple[str, ...]:
    """The keys of the manifests that the settings name, and of the removal list as it is now.  They are looked up
    once, when a run starts: what comes later does not change it.  Raises MissingArtifact, MissingModels, Waiting,
    MissingDumps, BadConfig, BadInput, SourceUnavailable."""
    if isinstance(settings, EvaluateChoices):
        check_choices(settings, settings.benchmarks)
    find = FINDERS.get(run.name)
    return (*(find(settings, store) if find else ()), *_removal_list(run, deployment, store))


def make_plan(
    run: Run, settings: RunSettings, deployment: Deployment, store: ArtifactStore, named: Iterable[str]
) -> Plan:
    """The plan of a run that builds on these manifests and on what they were made from."""
    given = [store.key(uri) for uri in named]
    level = given
    while level:
        level = sorted(_inputs_of(level, run, settings, store) - set(given))
        given += level
    removals = partial(find_removals.read_found, store)
    plan = Plan(run, settings, deployment, given, removals=removals)
    if run is CORPUS and plan.settings.dedup == "global":
        hashes = plan.work("gather_hashes", plan.settings.crawl).key
        return Plan(run, settings, deployment, given, dump_order.earlier(store, plan.series, hashes))
    return plan


def _removal_list(run: Run, deployment: Deployment, store: ArtifactStore) -> tuple[str, ...]:
    """Its text is brought in when a run starts, so that a new line counts although its file keeps its name."""
    if not deployment.removals or "find_removals" not in run.stages:
        return ()
    announced = deployment.digests.get(find_removals.LIST)
    digest = announced or hashlib.sha256(read_outside(deployment.removals)).hexdigest()
    uri = ingest.STAGE.run({"source": deployment.removals, "sha256": digest}, (), store, find_removals.LIST)
    return (store.key(uri),)


def _inputs_of(keys: Iterable[str], run: Run, settings: RunSettings, store: ArtifactStore) -> set[str]:
    """What those of the manifests were made from that the run looks through.

    A model that was trained on a release of its own does not lead to the vocabulary's; a checkpoint that another one
    went on from is not looked at.
    """
    opened = [store.manifest(key) for key in keys if _stage_of(key) in run.through]
    own_release = bool(getattr(settings, "training_release", "")) or any(
        manifest.stage == "pretrain" and "publish" in map(_stage_of, manifest.inputs) for manifest in opened
    )
    read = [one for one in opened if not (own_release and one.stage == "train_vocabulary")]
    return {key for manifest in read for key in manifest.inputs if _stage_of(key) != "export"}


def _stage_of(key: str) -> str:
    return key.split("/", 1)[0]


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


def _pretraining(settings: Any, store: ArtifactStore) -> tuple[str, ...]:
    """A vocabulary, or a checkpoint that has one; and the release, where it is not the vocabulary's."""
    kind, name = ("checkpoint", settings.start_from) if settings.start_from else ("vocabulary", settings.vocabulary)
    found = [current(store, kind, name)]
    if settings.training_release:
        found.append(current(store, "release", settings.training_release))
    elif not any(_stage_of(key) == "publish" for key in store.manifest(found[0]).inputs):
        raise BadConfig(f"vocabulary {name} was not trained on a release of this store: say which one to train on with "
                        "training_release")  # fmt: skip
    return tuple(found)


def _checkpoint(settings: Any, store: ArtifactStore) -> tuple[str, ...]:
    if is_outside(settings.checkpoint):
        _warn_of_namesakes(settings, store)
        return ()
    if is_manifest(settings.checkpoint):
        key = check_manifest(store.key(settings.checkpoint))
        store.manifest(key)
        return (key,)
    return (current(store, "checkpoint", settings.checkpoint),)


def _warn_of_namesakes(settings: Any, store: ArtifactStore) -> None:
    """A model from outside is named after its folder, and another folder may have that name."""
    checkpoint, name = settings.checkpoint, settings.checkpoint_name
    keys = store.list(f"ingest/{UNITS}{name}/")
    sources = {str(store.manifest(key).config["source"]) for key in keys if key.endswith(f"/{MANIFEST_NAME}")}
    others = {source for source in sources if source.partition("@")[0] != checkpoint.partition("@")[0]}
    if others:
        log.warning(
            "%s: the store has scores of %s under this name too, and takes all for those of one model: "
            "give one another model_name (--name) to keep them apart", name, ", ".join(sorted(others)),
        )  # fmt: skip


def _list(missing: list[str]) -> str:
    rest = len(missing) - NAMED
    return ", ".join(missing[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


FINDERS: dict[str, Callable[[Any, ArtifactStore], tuple[str, ...]]] = {
    "corpus": _language_models,
    "release": _dumps,
    "vocabulary": lambda settings, store: (current(store, "release", settings.release),),
    "pretrain": _pretraining,
    "evaluate": _checkpoint,
}
