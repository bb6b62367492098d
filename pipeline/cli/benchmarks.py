"""`xlmr benchmarks`: what can be scored on, under which licence, and the official files."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import refuse_given
from pipeline.errors import BadConfig

if TYPE_CHECKING:
    from evaluation.benchmark import Benchmark

ASIDE = ".downloads"  # in the folder, while files come


@click.command(short_help="List and download the benchmarks.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="download the official files of the named benchmarks into this data folder",
)
@click.option(
    "--mirror", default="", metavar="URL", help="fetch https://HOST/PATH as URL/HOST/PATH [default: from its own host]"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON; of named benchmarks with every file")
def benchmarks(names: tuple[str, ...], to: Path | None, mirror: str, *, as_json: bool) -> None:
    """List the benchmarks and download their official files.

    The list has the licence of each, how much its official files are, and what must be got by hand. With --to, the
    files of each NAME are downloaded, checked by their published digests and put into FOLDER, where `xlmr evaluate
    --data FOLDER` finds them; what came whole is not fetched again.

    \b
    Example: xlmr benchmarks
             xlmr benchmarks xnli mlqa --to benchmarks/
    """
    from evaluation.benchmarks import BENCHMARKS

    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise BadConfig(f"benchmark {unknown[0]!r}: wanted one of {', '.join(BENCHMARKS)}")
    chosen = [BENCHMARKS[name] for name in names or BENCHMARKS]
    if to is None:
        refuse_given(("mirror",), "wanted --to FOLDER as well")
        _print(chosen, as_json=as_json, with_files=bool(names))
        return
    if not names:
        raise BadConfig("--to: wanted NAME as well: which benchmarks to download")
    for benchmark in chosen:
        if not benchmark.published_files.files:
            raise BadConfig(f"{benchmark.name}: {benchmark.published_files.by_hand}")
    for benchmark in chosen:
        _fetch(benchmark.name, to, mirror)
        click.echo(to / benchmark.folders[0])


def _fetch(name: str, folder: Path, mirror: str) -> None:
    """Downloads stay in the folder until all is there; each file then appears whole."""
    from pipeline.official_files import bring

    downloads = folder / ASIDE / name
    made = folder / ASIDE / f"{name}.{uuid.uuid4().hex}"
    made.mkdir(parents=True)
    try:
        with _bar(name) as progress:
            bring(name, downloads, made, mirror=mirror, progress=progress)
        for path in sorted(path for path in made.rglob("*") if path.is_file()):
            place = folder / path.relative_to(made)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    finally:
        shutil.rmtree(made)
    shutil.rmtree(downloads)
    if not any((folder / ASIDE).iterdir()):
        (folder / ASIDE).rmdir()


@contextmanager
def _bar(name: str) -> Iterator[Any]:
    """A function for progress(done, total, unit); drawn on a terminal only."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} MB"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda done, total, unit: bar.update(task, completed=done, total=total)


def _print(chosen: Sequence[Benchmark], *, as_json: bool, with_files: bool) -> None:
    if as_json:
        click.echo(json.dumps([_row(benchmark, with_files=with_files) for benchmark in chosen], indent=1))
        return
    table = Table(title="Benchmarks")
    for column in ("name", "licence", "download", "from"):
        table.add_column(column, justify="right" if column == "download" else "left")
    for benchmark in chosen:
        files = benchmark.published_files
        sized = f"{files.size_bytes / 1e6:,.1f} MB" if files.size_bytes else "yes" if files.files else "no"
        table.add_row(benchmark.name, benchmark.licence, sized, "\n".join(files.hosts))
    Console().print(table)
    for benchmark in chosen:
        if benchmark.published_files.by_hand:
            click.echo(f"{benchmark.name}: {benchmark.published_files.by_hand}")


def _row(benchmark: Benchmark, *, with_files: bool) -> dict[str, Any]:
    files = benchmark.published_files
    found = {
        "name": benchmark.name,
        "title": benchmark.title,
        "task": benchmark.task,
        "licence": benchmark.licence,
        "home": benchmark.home,
        "folder": benchmark.folders[0],
        "can_be_downloaded": files.can_be_downloaded,
        "files": len(files.files),
        "size_bytes": files.size_bytes or None,
        "by_hand": files.by_hand,
    }
    return found | ({"official_files": [asdict(file) for file in files.files]} if with_files else {})


COMMANDS = (benchmarks,)
