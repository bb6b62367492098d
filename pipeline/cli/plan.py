"""`xlmr plan` and `xlmr settings`: what a run would do, what it costs, what it can be asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import place_options, read_deployment, read_settings, settings_options, with_options
from pipeline.errors import BadConfig
from pipeline.runs import RUNS

RUN = click.Choice(list(RUNS))


@click.command("plan")
@click.argument("run", type=RUN, default="end_to_end", metavar="[RUN]")
@with_options(settings_options, place_options)
@click.option("--estimate", is_flag=True, help="print hours, memory and storage for dumps of Common Crawl's size")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def plan_command(run: str, estimate: bool, as_json: bool, **given: Any) -> None:
    """Show the stages and tasks of a run.

    RUN is language_models, corpus, release, vocabulary, pretrain, evaluate, reevaluate or end_to_end (the default).
    Only the settings are read and, for a run that builds on others, the manifests that it names; nothing is run.

    \b
    Example: xlmr plan --settings releases/cc100.json --json
             xlmr plan corpus --set crawl=CC-MAIN-2026-34 --estimate
    """
    from pipeline.build_on import make_plan, named_manifests
    from pipeline.plan import Plan
    from pipeline.store import open_store

    chosen = RUNS[run]
    deployment = read_deployment(**{name: given.pop(name) for name in ("deployment_file", "places", "store")})
    # The bound of a small machine says nothing of a dump's size, nor do its defaults.
    own = {"most_tasks": 0, "defaults": {} if estimate else deployment.defaults}
    deployment = deployment.model_copy(update=own)
    settings = read_settings(chosen, deployment, **given)
    if chosen.through or run == "corpus":
        store = open_store(deployment.store)
        if run == "corpus":  # which models there are changes keys, not the units
            settings = settings.model_copy(update={"missing_models": "skip"})
        plan = make_plan(chosen, settings, deployment, store, named_manifests(chosen, settings, deployment, store))
    else:
        plan = Plan(chosen, settings, deployment)
    rows = [
        {"stage": stage, "units": len(plan.works(stage)), "tasks": len(plan.tasks(stage))}
        for stage in chosen.stages
        if plan.own_units(stage)
    ]
    found: dict[str, Any] = {"run": run, "stages": rows, "tasks": sum(row["tasks"] for row in rows)}
    if estimate:
        from pipeline.estimate import estimate as estimate_plan

        found["estimate"] = estimate_plan(plan)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from pipeline.estimate import estimate_table

    console = Console()
    if "estimate" in found:
        console.print(estimate_table(found["estimate"]))
        return
    table = Table(title=f"{found['run']}: {found['tasks']:,} tasks")
    table.add_column("stage")
    table.add_column("tasks", justify="right")
    for row in found["stages"]:
        table.add_row(row["stage"], f"{row['tasks']:,}")
    console.print(table)


@click.command("settings")
@click.argument("run", type=RUN, default="end_to_end", metavar="[RUN]")
@click.option("--json", "as_json", is_flag=True, help="print the JSON schema, with bounds and choices")
def settings_command(run: str, as_json: bool) -> None:
    """List the settings of a run.

    Each with its default and description. RUN is language_models, corpus, release, vocabulary, pretrain, evaluate or
    end_to_end (the default). Choices and bounds are in the JSON schema.

    \b
    Example: xlmr settings corpus
             xlmr settings pretrain --json
    """
    schema = RUNS[run].settings.model_json_schema()
    if as_json:
        click.echo(json.dumps(schema, indent=1))
        return
    for name, field in sorted(schema["properties"].items()):
        default = json.dumps(field["default"]) if "default" in field else "must be given"
        click.echo(
            f"{name}  [{default if len(default) <= 60 else default[:57] + '...'}]\n    {field.get('description', '')}"
        )


@click.command("crawls")
@click.option("--update", is_flag=True, help="fetch Common Crawl's list and keep it in the store")
@click.option("--file", "file", type=click.Path(path_type=Path), help="with --update: also write the list to this file")
@with_options(place_options)
def crawls_command(update: bool, file: Path | None, **place: Any) -> None:
    """List the known dumps, newest first.

    Each with the date on which its week begins.

    \b
    Example: xlmr crawls --update
    """
    from pipeline.crawl_list import read_crawl_list, update_crawl_list
    from pipeline.store import open_store

    if file and not update:
        raise BadConfig(f"--file {file}: wanted --update as well: the list is written when it is fetched")
    deployment = read_deployment(**place)
    if update:
        crawls = update_crawl_list(deployment, open_store(deployment.store), file)
    else:
        crawls = read_crawl_list(deployment.crawl_list)
    for crawl in reversed(crawls):
        click.echo(f"{crawl.id}  {crawl.starts.date().isoformat()}  {crawl.name}")


COMMANDS = (plan_command, settings_command, crawls_command)
