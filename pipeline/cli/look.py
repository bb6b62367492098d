"""`xlmr stats | list | show | trace`: what is in the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pipeline.cli.options import place_options, refuse_given, store_of, with_options
from pipeline.errors import BadConfig


@click.command()
@click.argument("folder", required=False, metavar="[RELEASE]", type=click.Path(path_type=Path))
@with_options(place_options)
@click.option(
    "--name",
    default="",
    metavar="NAME",
    help="release or dump to show [default: the newest release, else the newest dump]",
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.option("--csv", "as_csv", is_flag=True, help="print CSV, one line for each language, bucket and dump")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="also write a figure, .svg, .png or .pdf")
def stats(folder: Path | None, name: str, as_json: bool, as_csv: bool, plot: Path | None, **where: Any) -> None:
    """Show the statistics of each language.

    Of a release or dump in the store, or of a release in a folder (RELEASE), beside the paper's Table 6.

    \b
    Example: xlmr stats --json | jq '.languages.sw'
             xlmr stats corpus/ --plot corpus.png
    """
    from pipeline.corpus_table import corpus_csv, corpus_statistics_of, corpus_table, folder_statistics

    if as_json and as_csv:
        raise BadConfig("--json and --csv: wanted one of them")
    if folder:
        refuse_given(
            ("name", "store", "places"), f"it chooses in a store, and {folder} is a folder: wanted one of them"
        )
    statistics = folder_statistics(folder) if folder else corpus_statistics_of(store_of(where), name=name)
    if plot:
        if plot.suffix not in (".svg", ".png", ".pdf") or not plot.parent.is_dir():
            raise BadConfig(f"--plot {plot}: wanted a name that ends in .svg, .png or .pdf, in an existing folder")
        from ccnet.stats_plot import plot_corpus

        try:
            plot_corpus(statistics, plot)
        except OSError as error:
            raise BadConfig(f"--plot {plot}: {error.strerror}: wanted a file that can be written") from error
    if as_json:
        click.echo(json.dumps(statistics, indent=1, sort_keys=True, ensure_ascii=False))
    elif as_csv:
        click.echo(corpus_csv(statistics), nl=False)
    else:
        Console().print(corpus_table(statistics))


@click.command("list")
@click.argument("stage", required=False, default="", metavar="[STAGE[/UNIT]]")
@with_options(place_options)
def list_manifests(stage: str, **where: Any) -> None:
    """List the manifests in the store.

    With STAGE, or STAGE and the beginning of units: of these only.

    \b
    Example: xlmr list evaluate
             xlmr list evaluate/xnli
    """
    from pipeline.manifest import MANIFEST_NAME
    from pipeline.stages import NAMES

    if stage and stage.split("/")[0] not in NAMES:
        raise BadConfig(f"{stage!r} is no stage: wanted one of {', '.join(NAMES)}")
    store = store_of(where)
    for key in store.list(f"{stage.rstrip('/')}/" if stage else ""):
        if key.endswith(f"/{MANIFEST_NAME}"):
            click.echo(store.uri(key))


@click.command()
@click.argument("uri")
@with_options(place_options)
def show(uri: str, **where: Any) -> None:
    """Print one manifest.

    It holds the config, inputs, artifacts, counts, versions of libraries and seconds of one unit. URI is its address,
    or its key in the store.

    \b
    Example: xlmr show file:///data/store/identify/CC-MAIN-2019-35/00000-of-00002/0a…/manifest.json
    """
    click.echo(store_of(where, uri).manifest(uri).to_json().decode(), nl=False)


@click.command()
@click.argument("uri")
@click.option("--json", "as_json", is_flag=True, help="print JSON: manifests and crawl files")
@with_options(place_options)
def trace(uri: str, as_json: bool, **where: Any) -> None:
    """Trace a manifest back to the crawl's files.

    Prints every manifest that the one at URI was made from, and the files of the crawl.

    \b
    Example: xlmr trace "$(xlmr list evaluate | head -n 1)"
    """
    from pipeline.lineage import sources
    from pipeline.lineage import trace as ancestors_of

    store = store_of(where, uri)
    ancestors = list(ancestors_of(store, uri))
    files = sources(store, uri)
    if as_json:
        keys = [store.uri(ancestor.manifest.key) for ancestor in ancestors if not ancestor.seen]
        click.echo(json.dumps({"manifests": keys, "crawl_files": files}, indent=1))
        return
    for ancestor in ancestors:
        manifest, indent = ancestor.manifest, "  " * ancestor.depth
        above = "  (above)" if ancestor.seen and manifest.inputs else ""
        click.echo(f"{indent}{manifest.stage} {manifest.unit} {manifest.fingerprint}{above}")
        if manifest.stage in ("fetch", "ingest") and not ancestor.seen:
            for artifact in manifest.artifacts:
                click.echo(f"{indent}  {artifact.name}  {artifact.size_bytes:,} bytes  sha256 {artifact.sha256[:16]}…")
    click.echo(f"\n{len(files)} crawl files:")
    for name in files:
        click.echo(f"  {name}")


COMMANDS = (stats, list_manifests, show, trace)
