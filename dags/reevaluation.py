"""What the tasks of xlmr_reevaluate do, with pipeline.reevaluation and pipeline.verdicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from dags.assets import SCORES
from dags.failures import notify
from dags.installation import DEPLOYMENT
from dags.tasks import page_of, settings_of_run
from pipeline import stages
from pipeline.checkpoint_source import UNITS
from pipeline.failed_seeds import check_scored
from pipeline.manifest import parse_key
from pipeline.reevaluation import chosen_checkpoints, take_in_data, wanted
from pipeline.runs import REEVALUATE, ReevaluateSettings
from pipeline.store import open_store
from pipeline.verdicts import judge, regressions_since

log = logging.getLogger(__name__)


def choose() -> list[str]:
    """The URIs of the checkpoints' manifests: looked up once, so that all tasks of the run mean the same ones."""
    store = open_store(DEPLOYMENT.store)
    return [store.uri(key) for key in chosen_checkpoints(_settings(), store).values()]


def bring_data() -> dict[str, str]:
    """The digests of benchmark data that were changed in place, by unit of `ingest`."""
    return dict(take_in_data(_settings(), DEPLOYMENT, open_store(DEPLOYMENT.store)).digests)


def units_to_score(checkpoints: Sequence[str], digests: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the `evaluate` tasks run: unit, config and the URIs of what it reads."""
    store = open_store(DEPLOYMENT.store)
    found = []
    for each in _wanted(checkpoints, digests):
        log.info("%s %s: %s", each.checkpoint, each.work.unit, each.why or "its result stands")
        if each.why:
            inputs = [store.uri(key) for key in each.work.inputs]
            found.append({"unit": each.work.unit, "config": each.work.config.model_dump(mode="json"), "inputs": inputs})
    return found


def score(unit: str, config: Mapping[str, Any], inputs: Sequence[str]) -> str:
    return stages.load("evaluate").run(config, inputs, open_store(DEPLOYMENT.store), unit)


def compare(checkpoints: Sequence[str], digests: Mapping[str, str], scored: Sequence[str] | None) -> list[str]:
    """A verdict on each checkpoint, into the store.  Fails where one is worse beyond noise."""
    store, settings = open_store(DEPLOYMENT.store), _settings()
    every = _wanted(checkpoints, digests)
    verdicts = []
    for name, key in _named(checkpoints):
        present = [each.work.key for each in every if each.checkpoint == name]
        verdict = judge(store, name, key, present, significance=settings.significance, margin=settings.margin,
                        accept=settings.accept_regressions)  # fmt: skip
        for note in verdict.notes:
            log.info("%s: %s", name, note)
        log.info("%s", verdict.told())
        verdicts.append(verdict)
    if scored:
        events = get_current_context()["outlet_events"]
        events[SCORES].add_partitions([verdict.checkpoint for verdict in verdicts])
        events[SCORES].extra = {"page": page_of(REEVALUATE, verdicts[0].checkpoint)}
    if regressions := [verdict.told() for verdict in verdicts if verdict.fails]:
        raise AirflowFailException("; ".join(regressions))
    for name, _ in _named(checkpoints):
        check_scored(store, [each.work.key for each in every if each.checkpoint == name])
    return [verdict.told() for verdict in verdicts]


def tell(context: Mapping[str, Any]) -> None:
    """The message about a failed run names the checkpoints and languages that are worse."""
    found = regressions_since(open_store(DEPLOYMENT.store), context["dag_run"].start_date)
    notify(context, "; ".join(found))


def _settings() -> ReevaluateSettings:
    found = settings_of_run(REEVALUATE)
    if not isinstance(found, ReevaluateSettings):
        raise TypeError(f"settings of {REEVALUATE.name} are {type(found).__name__}")
    return found


def _wanted(checkpoints: Sequence[str], digests: Mapping[str, str]) -> list[Any]:
    deployment = DEPLOYMENT.model_copy(update={"digests": dict(digests)})
    return wanted(_settings(), deployment, open_store(DEPLOYMENT.store), _named(checkpoints))


def _named(checkpoints: Sequence[str]) -> list[tuple[str, str]]:
    store = open_store(DEPLOYMENT.store)
    keys = [store.key(uri) for uri in checkpoints]
    return [(parse_key(key)[1].removeprefix(UNITS), key) for key in keys]
