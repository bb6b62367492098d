"""`make run`, `make up`, `make down`, `make cancel`: the whole system on one machine, with nothing set up before."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from embedded.airflow.errors import AirflowError
from embedded.run import Choices, cancel, down, run, up
from pipeline.errors import EXIT_TRY_AGAIN, FactoryError

CHOICES = [
    click.option(
        "--languages", default="", metavar="en,sw,ur", help="languages to keep, by code [default: all of the input]"
    ),
    click.option(
        "--store", default="", metavar="URI", help="file:///folder or s3://bucket/prefix [default: var/store]"
    ),
    click.option("--crawls", default="", metavar="ID,…", help="dumps to process, e.g. CC-MAIN-2019-35"),
    click.option("--segments", default=0, type=click.IntRange(0), help="files of each dump to read; 0: all"),
    click.option(
        "--slices", default=2, show_default=True, type=click.IntRange(1, 200), help="slices that a dump is cut into"
    ),
    click.option("--source", default="", metavar="URL", help="base of the crawl [default: data.commoncrawl.org]"),
    click.option(
        "--kind",
        default="",
        type=click.Choice(["", "warc", "wet"]),
        help="warc: pages; wet: the text that Common Crawl extracted",
    ),
    click.option(
        "--reference", default="", metavar="DIR", help="folder of LANG.txt.gz that language models are trained on"
    ),
    click.option("--small", is_flag=True, help="use the small crawl written for the tests"),
    click.option(
        "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="set any other setting of the run, as for `xlmr`"
    ),
    click.option(
        "--var", default="var", type=click.Path(path_type=Path), help="folder for everything that the run makes"
    ),
]


def _choices(command: Any) -> Any:
    for option in reversed(CHOICES):
        command = option(command)
    return command


@click.group(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
def embedded() -> None:
    logging.basicConfig(level=logging.INFO, format="[input] %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)


@embedded.command("run")
@_choices
def run_command(**values: Any) -> None:
    """Run everything through Airflow, from crawl to scores.

    \b
    Example: make run LANGUAGES=en,sw,ur
             make run CRAWL=CC-MAIN-2019-35 SEGMENTS=1
    """
    run(Choices(**values), Console(highlight=False))


@embedded.command("up")
@_choices
def up_command(**values: Any) -> None:
    """Start Airflow and print its address and passwords."""
    up(Choices(**values), Console(highlight=False))


@embedded.command("down")
@click.option("--var", default="var", type=click.Path(path_type=Path), help="the folder that `up` was given")
def down_command(var: Path) -> None:
    """Stop everything that `make up` or `make run` started."""
    down(var, Console(highlight=False))


@embedded.command("cancel")
@click.argument("run_id")
@click.option("--var", default="var", type=click.Path(path_type=Path), help="the folder that `up` was given")
def cancel_command(run_id: str, var: Path) -> None:
    """Cancel one run that `make run` started."""
    cancel(var, run_id, Console(highlight=False))


def main() -> None:
    try:
        embedded(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
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
