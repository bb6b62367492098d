"""Make a corpus, a release, a vocabulary, a model and its scores, and show what is in the store.

The result goes to stdout (manifest URIs, a table, or JSON with --json), the log and the progress bar to stderr.
Exit status: 0 done, 2 wrong input or settings, 75 try again.
"""

from __future__ import annotations

import logging
import sys

import click
from rich.console import Console
from rich.logging import RichHandler

from pipeline.cli import clean, look, plan, results, run, text
from pipeline.errors import FactoryError

COMMANDS = (*run.COMMANDS, *plan.COMMANDS, *look.COMMANDS, *text.COMMANDS, *results.COMMANDS, *clean.COMMANDS)


@click.group(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="also show the log of the stages")
def xlmr(verbose: bool) -> None:
    level = logging.INFO if verbose else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s")


for _command in COMMANDS:
    xlmr.add_command(_command)


def main() -> None:
    """Run the command line; every error of the user is one line."""
    try:
        xlmr(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except FactoryError as error:
        click.echo(f"xlmr: {error}", err=True)
        sys.exit(error.exit_status)
