"""`xlmr language-models | release | vocabulary | end-to-end`: the runs, in-process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console

from pipeline.cli.options import (
    place_options,
    read_deployment,
    read_settings,
    run_options,
    settings_options,
    store_to_write,
    with_options,
)
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig
from pipeline.runs import CORPUS, EVALUATE, PRETRAIN, REEVALUATE, RUNS, Run, RunSettings

EXAMPLES = {
    "language_models": "xlmr language-models --set languages=en,sw --place reference=reference/",
    "release": "xlmr release --set release=cc100 --set dumps=CC-MAIN-2019-35,CC-MAIN-2019-39",
    "vocabulary": "xlmr vocabulary --set release=cc100 --set vocabulary_size=250000",
    "end_to_end": "xlmr end-to-end --set dumps=CC-MAIN-2019-35 --set languages=en,sw --set segments=1",
}
stage_options = [
    click.option("--until", metavar="STAGE", help="stop when this stage has finished"),
    click.option(
        "--unit", metavar="UNIT", help="run one unit of that stage alone, e.g. CC-MAIN-2019-35/00000-of-00002"
    ),
]


def _command_of(run: Run) -> click.Command:
    @with_options(settings_options, place_options, stage_options, run_options)
    def command(until: str | None, unit: str | None, workers: int, dry_run: bool, **given: Any) -> None:
        place = {name: given.pop(name) for name in ("deployment_file", "places", "store")}
        deployment = read_deployment(**place)
        start(run, read_settings(run, deployment, **given), deployment, until, unit, workers, dry_run)

    return click.command(run.name.replace("_", "-"), help=help_of_run(run, EXAMPLES[run.name]), short_help=run.summary)(
        command
    )


def help_of_run(run: Run, *examples: str, more: str = "") -> str:
    paragraphs = [run.about, *([more] if more else ()), "Units whose result is already in the store are not run again."]
    lines = "\n         ".join(examples)
    return "\n\n".join([*paragraphs, f"\b\nExample: {lines}\nSettings: xlmr settings {run.name}"])


def start(
    run: Run,
    settings: RunSettings,
    deployment: Deployment,
    until: str | None,
    unit: str | None,
    workers: int,
    dry_run: bool,
    *,
    quiet: bool = False,
) -> None:
    """Run in-process with a bar on stderr; print the URIs of what the last stage made, unless `quiet`."""
    from pipeline.build_on import make_plan, named_manifests
    from pipeline.failed_seeds import check_scored
    from pipeline.follow import Follower
    from pipeline.plan import select
    from pipeline.runner import run_plan

    if unit and not until:
        raise BadConfig(f"--unit {unit}: wanted --until STAGE as well, the stage of that unit")
    store = store_to_write(deployment)
    named = named_manifests(run, settings, deployment, store)
    last = until or run.stages[-1]
    end = run.stages.index(last) if last in run.stages else 0
    goals = (*(stage for stage in _planned_again(run, settings, deployment) if run.stages.index(stage) < end), until)
    for goal in goals:
        plan = make_plan(run, settings, deployment, store, named)
        works = select(plan, goal, unit if goal == until else None) if goal else plan.works()
        if dry_run:
            for work in works:
                click.echo(f"{'there  ' if store.exists(work.key) else 'missing'} {work.stage} {work.unit}")
            continue
        follower = Follower(works, store, Console(stderr=True))
        with follower.bar:
            run_plan(works, store.root, workers=workers, on_done=follower.done, on_wait=follower.poll)
    if not dry_run and not quiet:
        for work in works:
            if work.stage == last:
                click.echo(store.uri(work.key))
    if not dry_run:
        check_scored(store, [work.key for work in works if work.stage == "evaluate"])


def _planned_again(run: Run, settings: RunSettings, deployment: Deployment) -> Iterator[str]:
    """Stages after which keys are known that nobody can know before."""
    if run is CORPUS and getattr(settings, "dedup", "") == "global":
        yield "gather_hashes"  # which dumps came before this one
    if deployment.removals and "find_removals" in run.stages:
        yield "find_removals"  # which parts hold a host of the removal list


# Those with a module of their own in pipeline/cli.
OF_THEIR_OWN = (CORPUS, PRETRAIN, EVALUATE, REEVALUATE)
COMMANDS: tuple[click.Command, ...] = tuple(_command_of(run) for run in RUNS.values() if run not in OF_THEIR_OWN)
