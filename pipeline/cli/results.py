"""Verbs for scores: predictions scored alone, two models compared, all scores as tables or in a common schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import NumberRange, place_options, store_of, with_options
from pipeline.errors import BadInput, FactoryError, MissingArtifact
from pipeline.stages.evaluate import KNOWN_BENCHMARKS

if TYPE_CHECKING:
    from evaluation.results import FailedSeed, Scored

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
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@with_options(place_options)
@click.option(
    "--alpha",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="chance of a wrong verdict",
)
@click.option("--margin", type=NumberRange(0), default=0.0, show_default=True, help="points that count as noise")
@click.option("--fail-on-regression", is_flag=True, help="exit with 1 where B is worse beyond noise")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def compare(a: str, b: str, alpha: float, margin: float, fail_on_regression: bool, as_json: bool, **where: Any) -> None:
    """Say for each language and overall whether B is better or worse than A beyond noise.

    A and B are folders of results, one or more seeds below each (what `evaluate` leaves), or names of checkpoints that
    the store has scores of. A folder that has results goes before a checkpoint of that name.

    \b
    Example: xlmr compare results/last-week results/today --fail-on-regression
             xlmr compare cc100-base FacebookAI/xlm-roberta-base --store var/store --json
    """
    from evaluation.compare import compare_each

    (ours, lost_a), (theirs, lost_b) = (_scored(each, where) for each in (a, b))
    found = _told(lambda: compare_each(ours, theirs, alpha=alpha, margin=margin, failed=(lost_a, lost_b)))
    told: dict[str, Any] = found.to_json()
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        console = Console()
        console.width = max(console.width, 120)
        console.print(_table(told, f"{b} (B) against {a} (A)"))
        for note in told["notes"]:
            click.echo(note)
    if told["regression"] and fail_on_regression:
        raise click.exceptions.Exit(EXIT_REGRESSION)


def _scored(named: str, where: dict[str, Any]) -> tuple[list[Scored], list[FailedSeed]]:
    """The results below a folder, else the newest ones of a checkpoint of the store; and the seeds that failed."""
    from evaluation.results import RESULTS, read_failed_below, read_results_below
    from pipeline.result_store import newest, read_failures, read_results, standing_failures, with_contributions

    if Path(named).is_dir() and (any(Path(named).rglob(RESULTS)) or not _in_store(named, where)):
        found: tuple[list[Scored], list[FailedSeed]]
        found = _told(lambda: (read_results_below(Path(named)), read_failed_below(Path(named))))
        return found
    store = store_of(where)
    every = read_results(store, checkpoint_name=named)
    failures = standing_failures(read_failures(store, checkpoint_name=named), every)
    if not every:
        lost = "".join(f"; {each.row.benchmark} {each.row.told()}" for each in failures)
        raise MissingArtifact(
            f"{named}: no such folder, and {store.root} has no score of a checkpoint of that name{lost}: "
            "see `xlmr report`"
        )
    return with_contributions(store, newest(every)), [each.row for each in failures]


def _in_store(checkpoint: str, where: dict[str, Any]) -> bool:
    from pipeline.result_store import read_results

    try:
        return bool(read_results(store_of(where), checkpoint_name=checkpoint))
    except FactoryError:
        return False


choice_options = [
    click.option(
        "--checkpoint", "checkpoints", multiple=True, metavar="NAME", help="of this checkpoint [default: all]"
    ),
    click.option("--benchmark", "benchmarks", multiple=True, metavar="NAME", help="of this benchmark [default: all]"),
]
FORMATS = ("html", "md", "tex", "json")


@click.command(short_help="Show all scores in the paper's tables.")
@with_options(place_options, choice_options)
@click.option("--output", type=click.Path(path_type=Path), help="folder for report.html, .md, .tex and .json")
@click.option("--format", "shown", type=click.Choice(("text", *FORMATS)), default="text", show_default=True,
              help="what to print")  # fmt: skip
def report(
    checkpoints: tuple[str, ...], benchmarks: tuple[str, ...], output: Path | None, shown: str, **where: Any
) -> None:
    """Show the store's scores in the shape of the paper's tables 1 to 5 and figures 2 to 7.

    A row for each checkpoint, setting and selection of the epoch, beside the published ones: means over the seeds of
    the last scores that were made alike; the first line names others that are not shown. Each number leads
    to the manifest that it comes from; `xlmr trace` follows that to the crawl's files.

    \b
    Example: xlmr report --store var/store --output report
             xlmr report --checkpoint cc100-base --benchmark xnli --format tex
    """
    from evaluation.report import as_text, render, write_report
    from pipeline.all_scores import scores_report

    found = scores_report(store_of(where), checkpoints, benchmarks)
    if output:
        write_report(found, output)
        click.echo(output / "report.html")
    else:
        click.echo(as_text(found, Console().width) if shown == "text" else render(found, shown), nl=False)


@click.command("export-results", short_help="Write all scores in Every Eval Ever's schema.")
@with_options(place_options)
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="folder that gets data/BENCHMARK/…")  # fmt: skip
@click.option("--organization", required=True, help="who ran the evaluation and made the store's own checkpoints")
@with_options(choice_options)
def export_results(
    folder: Path, organization: str, checkpoints: tuple[str, ...], benchmarks: tuple[str, ...], **where: Any
) -> None:
    """Write the store's scores in Every Eval Ever's schema, the common format of evaluation results.

    One document for each checkpoint and benchmark, data/BENCHMARK/DEVELOPER/MODEL/UUID.json: each seed, language and
    metric of the last scores that were made alike, and means over seeds. Documents of an earlier export are replaced
    where scores changed.

    \b
    Example: xlmr export-results --store var/store --to every-eval-ever --organization "My Lab"
    """
    from pipeline.all_scores import standing_results
    from pipeline.every_eval_ever import documents, write_documents

    store = store_of(where)
    results, failures = standing_results(store, checkpoints, benchmarks)
    for path in write_documents(_told(lambda: documents(store, results, organization, failures)), folder):
        click.echo(path)


def _table(told: dict[str, Any], title: str) -> Table:
    table = Table(title=title)
    for name in ("benchmark", "setting", "test set", "metric", "A", "B", "B - A", "interval", "p", "verdict"):
        table.add_column(name, justify="right" if name in ("A", "B", "B - A", "p") else "left")
    for row in told["differences"]:
        table.add_row(
            row["benchmark"], row["setting"], row["language"], row["metric"], f"{row['a']:.2f}", f"{row['b']:.2f}",
            f"{row['difference']:+.2f}", f"{row['low']:+.2f} to {row['high']:+.2f}", f"{row['corrected_p']:.2g}",
            row["verdict"],
        )  # fmt: skip
    return table


def _told(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (OSError, ValueError) as error:
        raise BadInput(str(error)) from error


COMMANDS = (score, compare, report, export_results)
