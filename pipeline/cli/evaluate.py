"""`xlmr evaluate`: a checkpoint of the store, or any Hugging Face encoder, fine-tuned and scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from pipeline.checkpoint_source import UNITS, absolute, name_of
from pipeline.cli.options import (
    place_options,
    read_deployment,
    read_settings,
    run_options,
    settings_options,
    with_options,
)
from pipeline.cli.run import help_of_run, stage_options, start
from pipeline.deployment import OFFICIAL, Deployment
from pipeline.errors import BadConfig, MissingArtifact
from pipeline.hub import SCHEME, at_commit
from pipeline.needs import BENCHMARKS
from pipeline.runs import EVALUATE
from pipeline.source_digest import digest_of

HELP = help_of_run(
    EVALUATE,
    "xlmr evaluate --checkpoint cc100-base --benchmark xnli --seeds 5 --set finetuning=paper",
    "xlmr evaluate --checkpoint hf://FacebookAI/xlm-roberta-base --benchmark ner --data benchmarks --store var/store",
    "xlmr evaluate --checkpoint cc100-base --benchmark xquad --data official",
    more="The checkpoint is a name in the store or the URI of its manifest, or any Hugging Face encoder: a folder, or "
    "a model of the hub. One from outside is copied into the store. The report is of this checkpoint alone; "
    "`xlmr report` shows all.",
)


@click.command("evaluate", short_help=EVALUATE.summary, help=HELP)
@click.option("--checkpoint", metavar="NAME|URI|FOLDER|hf://ID", help="what to evaluate")
@click.option("--name", metavar="NAME", help="under which its scores stand [default: OWNER/NAME, or the folder's name]")
@click.option("--benchmark", "benchmarks", multiple=True, metavar="NAME", help="what to score it on; may be repeated")
@click.option("--setting", metavar="NAME", help="what is trained on: transfer, translate-train-all, each, all …")
@click.option(
    "--data", type=click.Path(path_type=Path), help="folder of the benchmarks' published files; official: download them"
)
@click.option("--seeds", type=click.IntRange(1, 20), metavar="N", help="fine-tune with seeds 1 to N")
@click.option("--finetuning", metavar="PRESET", help="numbers of fine-tuning: tiny, small, paper …")
@with_options(settings_options, place_options, stage_options, run_options)
def evaluate(
    checkpoint: str | None, name: str | None, benchmarks: Sequence[str], setting: str | None, data: Path | None,
    seeds: int | None, finetuning: str | None, until: str | None, unit: str | None, workers: int, dry_run: bool,
    **given: Any,
) -> None:  # fmt: skip
    place = {name: given.pop(name) for name in ("deployment_file", "places", "store")}
    deployment = read_deployment(**place)
    if data:
        deployment = _with_data(deployment, data)
    asked: dict[str, str] = {}
    if checkpoint:
        asked["checkpoint"] = checkpoint = _pinned(checkpoint)
        deployment = _with_digest(deployment, checkpoint, name or name_of(checkpoint))
    if benchmarks:
        asked["benchmarks"] = ",".join(benchmarks)
    if seeds:
        asked["seeds"] = ",".join(map(str, range(1, seeds + 1)))
    given_too = {"model_name": name, "benchmark_setting": setting, "finetuning": finetuning}
    asked |= {option: value for option, value in given_too.items() if value}
    given["pairs"] = (*given["pairs"], *(f"{name}={value}" for name, value in asked.items()))
    try:
        start(EVALUATE, read_settings(EVALUATE, deployment, **given), deployment, until, unit, workers, dry_run)
    except MissingArtifact as error:
        if checkpoint and Path(checkpoint, "config.json").is_file():
            raise MissingArtifact(f"{error}; the folder of that name is ./{checkpoint}") from error
        raise


def _with_data(deployment: Deployment, data: Path) -> Deployment:
    """The folder in place of the deployment's, with its digest, so that changed files are new work; or `official`."""
    if str(data) == OFFICIAL:
        digests = {unit: sha256 for unit, sha256 in deployment.digests.items() if unit != BENCHMARKS}
        return deployment.model_copy(update={"benchmark_data": OFFICIAL, "digests": digests})
    folder = data.expanduser().resolve()
    if not folder.is_dir():
        raise BadConfig(f"{folder}: no such folder: --data wants the folder of the benchmarks' published files")
    digests = deployment.digests | {BENCHMARKS: digest_of(folder)}
    return deployment.model_copy(update={"benchmark_data": str(folder), "digests": digests})


def _pinned(checkpoint: str) -> str:
    """The commit that an id of the hub stands for now; a folder as a URI."""
    return at_commit(checkpoint) if checkpoint.startswith(SCHEME) else absolute(checkpoint)


def _with_digest(deployment: Deployment, checkpoint: str, name: str) -> Deployment:
    if not checkpoint.startswith("file://") or checkpoint.endswith("/manifest.json"):
        return deployment
    folder = Path(unquote(urlsplit(checkpoint).path))
    digests = deployment.digests | {f"{UNITS}{name}": digest_of(folder)}
    return deployment.model_copy(update={"digests": digests})


COMMANDS = (evaluate,)
