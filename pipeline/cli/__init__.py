"""Make a corpus, a release, a vocabulary, a model and its scores, and show what is in the store.

The result goes to stdout (manifest URIs, a table, or JSON with --json), the log and the progress bar to stderr.
Exit status: 0 done, 2 wrong input or settings, 75 try again, 70 a fault of the program (with its traceback); of
commands that compare scores 1, where one is worse.
"""

from __future__ import annotations

import sys
import traceback

import click

from pipeline.cli.verbs import Verbs, verbose
from pipeline.errors import EXIT_FAULT, EXIT_WRONG, FactoryError


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
    except Exception as error:
        from pipeline.store.disk import store_error

        told = store_error(error, str(error.filename or "output")) if isinstance(error, OSError) else None
        if told is None:  # it says nothing of the disk
            traceback.print_exc()
            sys.exit(EXIT_FAULT)
        _end(told)


def _end(error: FactoryError) -> None:
    click.echo(f"xlmr: {error}", err=True)
    sys.exit(error.exit_status)
