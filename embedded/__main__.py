"""`make run`, `make up`, `make down`: the whole factory on one machine that has nothing prepared."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from embedded.airflow import AirflowError
from embedded.run import Choices, down, run, up
from pipeline.errors import EXIT_TRY_AGAIN, FactoryError

CHOICES = [
    click.option("--languages", default="", metavar="en,sw,ur", help="codes to keep [default: all of the input's]"),
    click.option(
        "--store", default="", metavar="URI", help="file:///folder or s3://bucket/prefix [default: var/store]"
    ),
    click.option("--crawls", default="", metavar="ID,…", help="dumps of Common Crawl, e.g. CC-MAIN-2019-35"),
    click.option("--segments", default=0, type=click.IntRange(0), help="files of each dump to take; 0: all"),
    click.option(
        "--slices", default=2, show_default=True, type=click.IntRange(1, 200), help="units a dump is cut into"
    ),
    click.option("--source", default="", metavar="URL", help="base of the crawl [default: data.commoncrawl.org]"),
    click.option("--kind", default="", type=click.Choice(["", "warc", "wet"]), help="pages, or the crawl's own text"),
    click.option("--reference", default="", metavar="DIR", help="LANG.txt.gz that language models are trained on"),
    click.option("--small", is_flag=True, help="use the small written crawl"),
    click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="any other setting of the run, as `xlmr`"),
    click.option("--var", default="var", type=click.Path(path_type=Path), help="folder for all that the run makes"),
]


def _choices(command: Any) -> Any:
    for option in reversed(CHOICES):
        command = option(command)
    return command


@click.group(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
def embedded() -> None:
    logging.basicConfig(level=logging.INFO, format="[input] %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)


@embedded.command("run")
@_choices
def run_command(**values: Any) -> None:
    """Crawl to evaluated model, through Airflow.

    \b
    Example: make run LANGUAGES=en,sw,ur
             make run CRAWL=CC-MAIN-2019-35 SEGMENTS=1
    """
    run(Choices(**values), Console(highlight=False))


@embedded.command("up")
@_choices
def up_command(**values: Any) -> None:
    """Start Airflow's web page and scheduler, and say how to open it."""
    up(Choices(**values), Console(highlight=False))


@embedded.command("down")
@click.option("--var", default="var", type=click.Path(path_type=Path), help="the folder that `up` was given")
def down_command(var: Path) -> None:
    """Stop what `make up` started."""
    down(var, Console(highlight=False))


def main() -> None:
    try:
        embedded(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except FactoryError as error:
        click.echo(f"xlmr: {error}", err=True)
        sys.exit(error.exit_status)
    except AirflowError as error:
        click.echo(f"airflow: {error}", err=True)
        sys.exit(EXIT_TRY_AGAIN)


if __name__ == "__main__":
    main()
