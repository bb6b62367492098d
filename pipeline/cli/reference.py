"""The command reference, made from the help texts: `python -m pipeline.cli.reference > docs/commands.md`."""

from __future__ import annotations

import click

from pipeline.cli import xlmr

COLUMNS = 100
HEAD = """\
# Commands

This page is generated from the help texts: `python -m pipeline.cli.reference > docs/commands.md`. `xlmr settings RUN`
lists the settings of a run; entries of the deployment file are in [operating.md](operating.md#the-deployment-file).
"""


def reference() -> str:
    """Markdown: the help of `xlmr`, and of each verb in alphabetical order."""
    parent = _context(xlmr, "xlmr")
    pages = [HEAD, "## xlmr\n", _block(xlmr.get_help(parent))]
    for name in xlmr.list_commands(parent):
        command = xlmr.commands[name]
        pages += [f"## xlmr {name}\n", _block(command.get_help(_context(command, name, parent)))]
    return "\n".join(pages)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """Of one width, whatever terminal it is printed on."""
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=COLUMNS,
        max_content_width=COLUMNS,
        help_option_names=["-h", "--help"],
    )


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"```\n{lines}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
