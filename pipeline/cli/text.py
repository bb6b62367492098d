"""`xlmr minify | reproduce | export-text | wikipedia`: releases and reference text in folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console


@click.command()
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def minify(release: Path, output: Path) -> None:
    """Remove the text from a release.

    OUTPUT gets, for each document of the folder RELEASE, where it is in the crawl, which lines were kept, and its
    scores. `xlmr reproduce` rebuilds the text.

    \b
    Example: xlmr minify corpus/ corpus-minified/
    """
    _transform("minify", release, output)


@click.command()
@click.argument("minified", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--source", default="https://data.commoncrawl.org/", show_default=True, metavar="URL", help="base of the crawl"
)
def reproduce(minified: Path, output: Path, source: str) -> None:
    """Rebuild the text of a minified release.

    The documents of the folder MINIFIED are fetched from the crawl, checked, and written to OUTPUT.

    \b
    Example: xlmr reproduce corpus-minified/ corpus/ --source https://data.commoncrawl.org/
    """
    _transform("reproduce", minified, output, source)


@click.command("export-text")
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--buckets", default="", metavar="head,all", help="buckets to write [default: all]")
def export_text(release: Path, output: Path, buckets: str) -> None:
    """Write a release as plain text files.

    OUTPUT gets a LANG.txt.xz for each language of the folder RELEASE, in the format of the public CC-100: one
    paragraph a line, an empty line between documents.

    \b
    Example: xlmr export-text corpus/ text/ --buckets head,all
    """
    _transform("export-text", release, output, buckets=tuple(filter(None, buckets.split(","))))


@click.command()
@click.argument("languages", metavar="en,sw,ur")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--source",
    default="",
    metavar="URL",
    help="base of the dumps, http or file [default: Wikimedia's CirrusSearch dumps]",
)
@click.option("--field", type=click.Choice(["opening_text", "text"]), default="opening_text", show_default=True,
              help="an article's opening (as CCNet) or all of its text, for languages with little text")  # fmt: skip
@click.option(
    "--max-articles", type=click.IntRange(1), default=1_000_000, show_default=True, help="most articles of one language"
)
def wikipedia(languages: str, output: Path, **options: Any) -> None:
    """Download reference text from Wikipedia.

    Language models are trained on it. OUTPUT gets a LANG.txt.gz for each language, one article a line.

    \b
    Example: xlmr wikipedia sw,ur reference/ && xlmr language-models --place reference=reference/
    """
    from pipeline.corpus_command import wikipedia_reference

    wikipedia_reference(languages.split(","), output, Console(stderr=True), **options)
    click.echo(output)


def _transform(verb: str, source: Path, output: Path, crawl: str = "", buckets: Sequence[str] = ()) -> None:
    from pipeline import corpus_command

    click.echo(corpus_command.transform(verb, source, output, crawl, buckets), err=True)
    click.echo(output)


COMMANDS = (minify, reproduce, export_text, wikipedia)
