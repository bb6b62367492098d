"""`xlmr card`: what a release holds and where it comes from, as README.md and croissant.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import place_options, store_of, with_options
from pipeline.errors import BadConfig

SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@click.command()
@click.argument("release", required=False, default="")
@with_options(place_options)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="write README.md and croissant.json there [default: print the README]",
)
@click.option(
    "--licence", default="", metavar="SPDX", help="licence of what you added to the texts, e.g. CC0-1.0 [default: none]"
)
@click.option("--url", default="", help="where the release can be read, for croissant.json [default: none]")
def card(release: str, folder: Path | None, licence: str, url: str, **where: Any) -> None:
    """Describe a release for its users.

    RELEASE is the name of a release in the store, the URI of its manifest or of its folder, or a folder on this
    machine; by default the newest of the store. README.md is a dataset card as Hugging Face shows it: licence layers,
    sources, counts of each language, hosts, what was dropped and masked, how to load it. croissant.json is the same for
    programs (Croissant 1.1). Both are made from manifests and statistics; to publish them, copy them into the folder.

    \b
    Example: xlmr card cc100 --to card/ --licence CC0-1.0
             xlmr card corpus/
    """
    from pipeline.release_card import card_of_folder, find_card
    from pipeline.release_readme import readme, write_card

    if licence and not SPDX.fullmatch(licence):
        raise BadConfig(f"--licence {licence!r}: wanted an SPDX identifier such as CC0-1.0")
    path = Path(release)
    is_folder = bool(release) and "://" not in release and path.is_dir()
    found = card_of_folder(path) if is_folder else find_card(store_of(where, release), release)
    if folder is None:
        click.echo(readme(found, licence), nl=False)
        return
    for written in write_card(found, folder, licence, url):
        click.echo(written)


COMMANDS = (card,)
