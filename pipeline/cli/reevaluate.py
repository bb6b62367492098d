"""`xlmr reevaluate`: score what is missing or out of date, compare with the last results."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import (
    place_options,
    read_deployment,
    read_settings,
    run_options,
    settings_options,
    with_options,
)
from pipeline.cli.results import EXIT_REGRESSION
from pipeline.runs import REEVALUATE


@click.command(short_help=REEVALUATE.summary)
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
@with_options(settings_options, place_options, run_options)
@click.option("--json", "as_json", is_flag=True, help="print JSON: what is scored and why, or the verdicts")
def reevaluate(
    checkpoints: tuple[str, ...], workers: int, dry_run: bool, as_json: bool, pairs: tuple[str, ...], **given: Any
) -> None:
    """Score checkpoints again where something changed, and compare.

    Scores what has no result yet, or whose data, scorer or code has changed since, and compares each CHECKPOINT
    (without one: the store's own latest) with the last results of its name. A model from outside is named as `xlmr
    report` shows it. The verdict is kept in the store. Exit status 1: a regression beyond noise.

    \b
    Example: xlmr reevaluate cc100-base --set benchmarks=xnli,ner --set seeds=1,2,3
             xlmr reevaluate FacebookAI/xlm-roberta-base --set benchmarks=xnli
             xlmr reevaluate --dry-run
    Settings: xlmr settings reevaluate
    """
    from pipeline.failed_seeds import check_scored
    from pipeline.follow import Follower
    from pipeline.reevaluation import chosen_checkpoints, take_in_data, wanted
    from pipeline.runner import run_plan
    from pipeline.store import open_store
    from pipeline.verdicts import judge

    deployment = read_deployment(**{name: given.pop(name) for name in ("deployment_file", "places", "store")})
    if checkpoints:
        pairs = (*pairs, f"checkpoints={json.dumps(checkpoints)}")
    settings: Any = read_settings(REEVALUATE, deployment, given["settings_file"], pairs)
    store = open_store(deployment.store)
    found = chosen_checkpoints(settings, store)
    deployment = take_in_data(settings, deployment, store)
    every = wanted(settings, deployment, store, found.items())
    if dry_run:
        rows = [{"checkpoint": each.checkpoint, "unit": each.work.unit, "why": each.why} for each in every]
        click.echo(json.dumps(rows, indent=1) if as_json else "\n".join(
            f"{row['checkpoint']}  {row['unit']}  {row['why'] or 'stands'}" for row in rows))  # fmt: skip
        return
    works = [each.work for each in every if each.why]
    follower = Follower(works, store, Console(stderr=True))
    with follower.bar:
        run_plan(works, store.root, workers=workers, on_done=follower.done, on_wait=follower.poll)
    verdicts = [
        judge(store, name, key, [each.work.key for each in every if each.checkpoint == name],
              significance=settings.significance, margin=settings.margin, accept=settings.accept_regressions)
        for name, key in found.items()
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps([verdict.model_dump() for verdict in verdicts], indent=1))
    else:
        for verdict in verdicts:
            if verdict.differences:
                Console().print(_table(verdict))
            for note in verdict.notes:
                click.echo(note)
            click.echo(verdict.told())
    if any(verdict.fails for verdict in verdicts):
        raise click.exceptions.Exit(EXIT_REGRESSION)
    for name in found:
        check_scored(store, [each.work.key for each in every if each.checkpoint == name])


def _table(verdict: Any) -> Table:
    table = Table(title=f"{verdict.checkpoint} against its last results")
    for name in ("benchmark", "test set", "before", "now", "difference", "verdict"):
        table.add_column(name, justify="right" if name in ("before", "now", "difference") else "left")
    for row in verdict.differences:
        table.add_row(f"{row.benchmark} {row.metric}", row.language, f"{row.a:.1f}", f"{row.b:.1f}",
                      f"{row.difference:+.1f} ({row.low:+.1f} to {row.high:+.1f})", row.verdict)  # fmt: skip
    return table


COMMANDS = (reevaluate,)
