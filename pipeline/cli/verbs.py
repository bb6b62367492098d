"""The verbs of `xlmr`, each imported when it is asked for: what one of them needs takes longer than another runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

# module of this package -> the verbs that its COMMANDS hold
MODULES = {
    "run": ("language-models", "release", "vocabulary", "end-to-end"),
    "corpus": ("corpus",),
    "plan": ("plan", "settings", "crawls"),
    "look": ("stats", "list", "show", "trace"),
    "text": ("minify", "reproduce", "export-text", "wikipedia"),
    "card": ("card",),
    "results": ("score", "compare", "report", "export-results"),
    "evaluate": ("evaluate",),
    "benchmarks": ("benchmarks",),
    "training": ("pretrain", "import", "export", "trim", "extend", "fertility"),
    "reevaluate": ("reevaluate",),
    "clean": ("clean",),
}
MODULE_OF = {verb: module for module, verbs in MODULES.items() for verb in verbs}


class Verbs(MutableMapping[str, click.Command]):
    """Commands by verb, as click's groups hold them; every one takes -v as well."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, verb: str) -> click.Command:
        if verb not in self._loaded:
            for command in import_module(f"pipeline.cli.{MODULE_OF[verb]}").COMMANDS:
                self[command.name] = command
        return self._loaded[verb]

    def __setitem__(self, verb: str, command: click.Command) -> None:
        verbose(command)
        self._loaded[verb] = command

    def __delitem__(self, verb: str) -> None:
        del self._loaded[verb]

    def __iter__(self) -> Iterator[str]:
        return iter({**MODULE_OF, **self._loaded})

    def __len__(self) -> int:
        return len({**MODULE_OF, **self._loaded})


verbose = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=lambda *given: show_log(verbose=given[-1]),
    help="also show the log of the stages",
)  # fmt: skip


def show_log(*, verbose: bool) -> None:
    """The log goes to stderr: warnings, or with -v before or after the verb all that stages say."""
    root = logging.getLogger()
    if not root.handlers:
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
        logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s")
    if verbose:
        root.setLevel(logging.INFO)
