"""`xlmr clean`: remove what killed attempts and finished units left in the store."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import NumberRange, place_options, store_of, with_options
from pipeline.sweep import DAY_S


@click.command()
@with_options(place_options)
@click.option(
    "--older-than-hours",
    type=NumberRange(0),
    default=DAY_S / 3600,
    show_default=True,
    help="keep what changed within this time: it may belong to an attempt on another machine",
)
def clean(older_than_hours: float, **where: Any) -> None:
    """Remove leftovers from the store.

    Leftovers are what killed attempts and finished units left behind. What a running unit needs stays.

    \b
    Example: xlmr clean --store s3://bucket/prefix --older-than-hours 48
    """
    from pipeline.sweep import sweep

    click.echo(str(sweep(store_of(where), older_than_s=older_than_hours * 3600)))


COMMANDS = (clean,)
