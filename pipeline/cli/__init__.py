"""Make a corpus, a release, a vocabulary, a model and its scores, and show what is in the store.

The result goes to stdout (manifest URIs, a table, or JSON with --json), the log and the progress bar to stderr.
Exit status: 0 done, 2 wrong input or settings, 75 try again.
"""

from __future__ import annotations

import sys

import click

from pipeline.cli.verbs import Verbs, verbose
from pipeline.errors import EXIT_WRONG, FactoryError


@click.group(help=__doc__, commands=Verbs(), context_settings={"help_option_names": ["-h", "--help"]})
@verbose
def xlmr() -> None:
    pass


def main() -> None:
    """Run the command line; every error of the user is one line."""
    try:
        sys.exit(xlmr(standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_WRONG)
    except FactoryError as error:
        _end(error)
    except OSError as error:
        from pipeline.store.disk import store_error

        told = store_error(error, str(error.filename or "output"))
        if told is None:  # it says nothing of the disk: a fault of the program
            raise
        _end(told)


def _end(error: FactoryError) -> None:
    click.echo(f"xlmr: {error}", err=True)
    sys.exit(error.exit_status)
