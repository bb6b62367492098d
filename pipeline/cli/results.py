"""`xlmr score` and `xlmr compare`: predictions scored alone, two models' results compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.errors import BadInput
from pipeline.stages.evaluate import KNOWN_BENCHMARKS

EXIT_REGRESSION = 1


@click.command(short_help="Score a file of predictions.")
@click.option("--benchmark", required=True, type=click.Choice(KNOWN_BENCHMARKS), help="whose metric and file format")
@click.option("--gold", required=True, type=click.Path(path_type=Path), help="published file with its answers")
@click.option("--predictions", required=True, type=click.Path(path_type=Path), help="file of predictions")
@click.option("--language", default="", help="test set, where the name of the gold file does not say it")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def score(benchmark: str, gold: Path, predictions: Path, language: str, as_json: bool) -> None:
    """Score a file of predictions with a benchmark's official metric.

    \b
    Example: xlmr score --benchmark mlqa --gold test-context-es-question-es.json --predictions answers.json --json
    """
    from evaluation.scoring import score as score_files

    rows = [asdict(row) for row in _told(lambda: score_files(benchmark, gold, predictions, language))]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['language']}  {row['metric']}  {row['value']:.4f}  ({row['examples']} examples)")


@click.command(short_help="Compare the results of two models.")
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="B")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="chance of a wrong verdict")
@click.option("--margin", type=click.FloatRange(0), default=0.0, show_default=True, help="points that count as noise")
@click.option("--fail-on-regression", is_flag=True, help="exit with 1 where B is worse beyond noise")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def compare(a: Path, b: Path, alpha: float, margin: float, fail_on_regression: bool, as_json: bool) -> None:
    """Say for each language and overall whether B is better or worse than A beyond noise.

    A and B are folders of results, one or more seeds below each: artifacts of `evaluate`.

    \b
    Example: xlmr compare results/last-week results/today --fail-on-regression
    """
    from evaluation.compare import compare as compare_rows
    from evaluation.results import read_results_below

    found = _told(lambda: compare_rows(*(read_results_below(folder) for folder in (a, b)), alpha=alpha, margin=margin))
    told: dict[str, Any] = found.to_json()
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        Console().print(_table(told))
    if told["regression"] and fail_on_regression:
        raise click.exceptions.Exit(EXIT_REGRESSION)


def _table(told: dict[str, Any]) -> Table:
    table = Table(title="B against A")
    for name in ("benchmark", "language", "metric", "difference", "interval", "verdict"):
        table.add_column(name)
    for row in told["differences"]:
        table.add_row(row["benchmark"], row["language"], row["metric"], f"{row['difference']:+.2f}",
                      f"{row['low']:+.2f} to {row['high']:+.2f}", row["verdict"])  # fmt: skip
    table.caption = "\n".join(told["notes"])
    return table


def _told(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (OSError, ValueError) as error:
        raise BadInput(str(error)) from error


COMMANDS = (score, compare)
