"""`xlmr language-models | corpus | release | vocabulary | pretrain | evaluate | end-to-end`: the runs, in-process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pipeline.cli.options import (
    place_options,
    read_deployment,
    read_settings,
    run_options,
    settings_options,
    with_options,
)
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig
from pipeline.runs import CORPUS, RUNS, Run, RunSettings

EXAMPLES = {
    "language_models": "xlmr language-models --set languages=en,sw --place reference=reference/",
    "release": "xlmr release --set release=cc100 --set dumps=CC-MAIN-2019-35,CC-MAIN-2019-39",
    "vocabulary": "xlmr vocabulary --set release=cc100 --set vocabulary_size=250000",
    "pretrain": "xlmr pretrain --set vocabulary=cc100 --set model=base --set steps=1500000",
    "evaluate": "xlmr evaluate --set checkpoint=cc100-base --set seeds=1,2,3,4,5",
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

    return click.command(run.name.replace("_", "-"), help=_help(run, EXAMPLES[run.name]), short_help=run.summary)(
        command
    )


def _help(run: Run, *examples: str, more: str = "") -> str:
    paragraphs = [run.about, *([more] if more else ()), "Units whose result is already in the store are not run again."]
    lines = "\n         ".join(examples)
    return "\n\n".join([*paragraphs, f"\b\nExample: {lines}\nSettings: xlmr settings {run.name}"])


CORPUS_HELP = _help(
    CORPUS,
    "xlmr corpus --crawl CC-MAIN-2019-35 --store file:///data/store",
    "xlmr corpus --recipe ccnet --input *.warc.wet.gz --language-models lm/ --output corpus/",
    more="With --recipe ccnet: process local WET or WARC files exactly as CCNet does, without a store. Arguments after "
    "the options are dumps (cc100) or files (ccnet). `xlmr language-models` trains the language models of the store; "
    "`xlmr release` publishes the documents of finished dumps.",
)


@click.command(short_help=CORPUS.summary, help=CORPUS_HELP)
@click.argument("more", nargs=-1, metavar="[FILE|ID]...")
@click.option(
    "--recipe",
    type=click.Choice(["cc100", "ccnet"]),
    default="cc100",
    show_default=True,
    help="cc100: dumps into the store; ccnet: local files, exactly as CCNet processes them",
)
@click.option("--input", "files", multiple=True, metavar="FILE...", help="ccnet: WET or WARC files to read")
@click.option(
    "--language-models", type=click.Path(path_type=Path), help="ccnet: folder with LANG.sp.model and LANG.arpa.bin"
)
@click.option(
    "--language-identifier",
    type=click.Path(path_type=Path),
    help="ccnet: a fastText model [default: the lid.176 that `make install` fetched]",
)
@click.option("--output", type=click.Path(path_type=Path), help="ccnet: folder to write the Parquet files to")
@click.option(
    "--cut-offs",
    type=click.Path(path_type=Path, exists=True),
    help="ccnet: table of percentiles 30 and 60 [default: cutoffs.tsv beside the models, else CCNet's published ones]",
)
@click.option(
    "--min-characters",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="ccnet: shortest page to keep, characters",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="ccnet: lowest language identification score to keep",
)
@click.option("--languages", default="", metavar="en,sw", help="languages to keep, by code [default: all]")
@click.option("--crawl", "crawls", multiple=True, metavar="ID...", help="cc100: dumps to process, e.g. CC-MAIN-2019-35")
@with_options(settings_options, place_options, run_options)
def corpus(recipe: str, more: tuple[str, ...], workers: int, dry_run: bool, **given: Any) -> None:
    """One dump or several, one after another; or local files by CCNet's recipe."""
    files, languages = (*given.pop("files"), *more), tuple(filter(None, given.pop("languages").split(",")))
    names = ("language_models", "language_identifier", "output", "cut_offs", "min_characters", "threshold")
    local = {name: given.pop(name) for name in names}
    if recipe == "ccnet":
        _ccnet(files, languages, workers, local)
        return
    if local["output"] or local["language_models"]:
        raise BadConfig("--recipe cc100 writes into --store: --output and --language-models belong to --recipe ccnet")
    crawls = (*given.pop("crawls"), *more)
    place = {name: given.pop(name) for name in ("deployment_file", "places", "store")}
    deployment = read_deployment(**place)
    if languages:
        given["pairs"] = (*given["pairs"], f"languages={','.join(languages)}")
    for crawl in crawls or ("",):
        pairs = (*given["pairs"], f"crawl={crawl}") if crawl else given["pairs"]
        settings = read_settings(CORPUS, deployment, given["settings_file"], pairs)
        start(CORPUS, settings, deployment, None, None, workers, dry_run)


def _ccnet(files: Sequence[str], languages: Sequence[str], workers: int, local: dict[str, Any]) -> None:
    from pipeline import corpus_command
    from pipeline.tools import find_language_identifier

    models, output, cut_offs = (local.pop(name) for name in ("language_models", "output", "cut_offs"))
    if not (files and models and output):
        raise BadConfig("--recipe ccnet wants --input FILE..., --language-models DIR and --output DIR")
    identifier = local.pop("language_identifier") or find_language_identifier()
    counts = corpus_command.local_corpus(
        [Path(name) for name in files], models, identifier, output, cut_offs, workers, Console(stderr=True),
        languages=languages, **local,
    )  # fmt: skip
    click.echo(corpus_command.summary(counts))
    click.echo(output)


def start(
    run: Run,
    settings: RunSettings,
    deployment: Deployment,
    until: str | None,
    unit: str | None,
    workers: int,
    dry_run: bool,
) -> None:
    """Run in-process with a bar on stderr; print the URIs of what the last stage made."""
    from pipeline.build_on import make_plan, named_manifests
    from pipeline.follow import Follower
    from pipeline.plan import select
    from pipeline.runner import run_plan
    from pipeline.store import open_store

    store = open_store(deployment.store)
    named = named_manifests(run, settings, store)
    last = until or run.stages[-1]
    # With dedup=global a dump learns which dumps came before it when its hashes are there.
    goals = (*(["gather_hashes"] if getattr(settings, "dedup", "") == "global" and run is CORPUS else ()), until)
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
    if not dry_run:
        for work in works:
            if work.stage == last:
                click.echo(store.uri(work.key))


COMMANDS: tuple[click.Command, ...] = tuple(corpus if run is CORPUS else _command_of(run) for run in RUNS.values())
