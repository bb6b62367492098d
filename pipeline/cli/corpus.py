"""`xlmr corpus`: dumps into the store, or local files by CCNet's recipe.

What only dumps need (the settings of the runs) is imported for them alone: it takes longer than a small local corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pipeline.cli.options import (
    NumberRange,
    place_options,
    read_deployment,
    read_settings,
    refuse_given,
    run_options,
    settings_options,
    with_options,
)
from pipeline.errors import BadConfig

EXAMPLES = (
    "xlmr corpus --crawl CC-MAIN-2019-35 --store file:///data/store",
    "xlmr corpus --recipe ccnet --input *.warc.wet.gz --language-models lm/ --output corpus/",
)
MORE = (
    "With --recipe ccnet: process local WET or WARC files exactly as CCNet does, without a store. Arguments after "
    "the options are dumps (cc100) or files (ccnet). `xlmr language-models` trains the language models of the store; "
    "`xlmr release` publishes the documents of finished dumps."
)

# Parameters that one recipe alone has.
OF_CCNET = (
    "files", "language_models", "language_identifier", "output", "cut_offs", "min_characters", "threshold", "removals",
    "robots", "robots_agents",
)  # fmt: skip
OF_CC100 = ("crawls", "settings_file", "pairs", "deployment_file", "places", "store", "dry_run")


class CorpusCommand(click.Command):
    """Its help begins as that of any other run; the texts are there when they are asked for."""

    def get_short_help_str(self, limit: int = 45) -> str:
        from pipeline.runs import CORPUS

        return CORPUS.summary

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from pipeline.cli.run import help_of_run
        from pipeline.runs import CORPUS

        self.help = help_of_run(CORPUS, *EXAMPLES, more=MORE)
        super().format_help_text(ctx, formatter)


@click.command(cls=CorpusCommand)
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
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
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
    type=NumberRange(0, 1),
    default=0.5,
    show_default=True,
    help="ccnet: lowest language identification score to keep",
)
@click.option(
    "--removals",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="ccnet: list of hosts and addresses whose pages are left out",
)
@click.option(
    "--robots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="ccnet: `robotstxt` WARC file of the same dump; may be given several times",
)
@click.option(
    "--robots-agents", default="", metavar="CCBot,GPTBot", help="ccnet: crawlers that robots.txt must allow the page to"
)
@click.option("--languages", default="", metavar="en,sw", help="languages to keep, by code [default: all]")
@click.option("--crawl", "crawls", multiple=True, metavar="ID...", help="cc100: dumps to process, e.g. CC-MAIN-2019-35")
@with_options(settings_options, place_options, run_options)
def corpus(recipe: str, more: tuple[str, ...], workers: int, dry_run: bool, **given: Any) -> None:
    """One dump or several, one after another; or local files by CCNet's recipe."""
    files, languages = (*given.pop("files"), *more), tuple(filter(None, given.pop("languages").split(",")))
    local = {name: given.pop(name) for name in OF_CCNET if name != "files"}
    local["robots_agents"] = tuple(filter(None, local["robots_agents"].split(",")))
    if recipe == "ccnet":
        refuse_given(OF_CC100, "--recipe ccnet works on local files, without store, dumps or settings")
        _ccnet(files, languages, workers, local)
        return
    refuse_given(OF_CCNET, "belongs to --recipe ccnet; --recipe cc100 reads dumps and writes into --store")
    from pipeline.cli.run import start
    from pipeline.runs import CORPUS

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


COMMANDS = (corpus,)
