"""`xlmr pretrain | import | export | trim | extend | fertility`: models and vocabularies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.console import Console

from pipeline.cli.options import (
    NumberRange,
    parse_pairs,
    place_options,
    read_deployment,
    read_settings,
    run_options,
    settings_options,
    with_options,
)
from pipeline.cli.run import help_of_run, stage_options, start
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig
from pipeline.runs import PRETRAIN, RunSettings
from pipeline.shared_settings import NAME_PATTERN
from pipeline.store import ArtifactStore, open_store
from training.recipes import RECIPES

PLACES = ("deployment_file", "places", "store")

PRETRAIN_HELP = help_of_run(
    PRETRAIN,
    "xlmr pretrain --set vocabulary=mine --set steps=2000 --set processes=1     # one process",
    "xlmr pretrain --set vocabulary=mine --set steps=2000 --set processes=2     # two processes",
    "xlmr pretrain --recipe base --set vocabulary=cc100 --set processes=8       # eight GPUs of this machine",
    "xlmr pretrain --from xlm-r-base --release mine --set steps=10000",
    "xlmr pretrain --deployment slurm.json --recipe base --set processes=32      # Slurm, four nodes; slurm.json:",
    '    {"store": "s3://bucket/store", "launcher": {"kind": "slurm", "nodes": 4,',
    '     "options": ["--gres=gpu:8", "--time=24:00:00"]}}',
    "xlmr pretrain --deployment kubernetes.json --recipe base --set processes=32 # Kubernetes; kubernetes.json:",
    '    {"store": "s3://bucket/store", "launcher": {"kind": "kubernetes", "nodes": 4,',
    '     "image": "registry/xlmr-gpu:1", "secret": "xlmr-s3", "resources": {"nvidia.com/gpu": "8"}}}',
    more="--recipe takes one of the paper's models with its sizes and schedule; --set changes single settings of it. "
    "--from goes on from a checkpoint of the store (`xlmr import` brings others), with its vocabulary. A killed run is "
    "started again with the same command. With milestone_steps, checkpoints NAME@UPDATE can be evaluated while "
    "training goes on. Where training runs is the deployment's `launcher`: processes of this machine, or a job of "
    "Slurm or Kubernetes, which this command submits and follows; `processes` counts those of all nodes "
    "(docs/training.md, Many nodes).",
)


def _name(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    import re

    if value is not None and (not re.match(NAME_PATTERN, value) or value.endswith("\n")):
        raise click.BadParameter(f"{value!r}: wanted lower-case letters, digits, - and ., at most 40")
    return value


@click.command("pretrain", short_help=PRETRAIN.summary, help=PRETRAIN_HELP)
@click.option("--recipe", type=click.Choice(list(RECIPES)), metavar="NAME", help="one of the paper's models: "
              "tiny, base, large, languages-7, width-960, vocabulary-32k, batch-2048, monolingual-en, … "
              "(all: xlmr settings pretrain --json)")  # fmt: skip
@click.option("--from", "start_from", metavar="CHECKPOINT", help="checkpoint of the store to go on from")
@click.option("--release", metavar="NAME", help="release to train on [default: that of the vocabulary]")
@with_options(settings_options, place_options, stage_options, run_options)
def pretrain(
    recipe: str | None, start_from: str | None, release: str | None, until: str | None, unit: str | None, workers: int,
    dry_run: bool, **given: Any,
) -> None:  # fmt: skip
    deployment = read_deployment(**{name: given.pop(name) for name in PLACES})
    said = {"start_from": start_from, "training_release": release}
    pairs = tuple(f"{name}={value}" for name, value in said.items() if value)
    settings = _with_recipe(recipe, deployment, given["settings_file"], (*pairs, *given["pairs"]))
    start(PRETRAIN, settings, deployment, until, unit, workers, dry_run)


def _with_recipe(
    recipe: str | None, deployment: Deployment, file: Path | None, pairs: tuple[str, ...]
) -> RunSettings:  # fmt: skip
    """The recipe's settings, then those of the file, then those of --set."""
    if recipe is None:
        return read_settings(PRETRAIN, deployment, file, pairs)
    from pipeline.json_file import read_json_object
    from pipeline.stages.pretrain import recipe_settings

    own = {"model": recipe, **recipe_settings(RECIPES[recipe]())}
    values = own | (read_json_object(file, "settings") if file else {})
    return PRETRAIN.settings.parse(values | parse_pairs(pairs, PRETRAIN.settings, "--set"))


@click.command("import", short_help="Import a checkpoint or a vocabulary.")
@click.argument("source", metavar="SOURCE")
@click.option("--name", required=True, callback=_name, help="name that evaluate and pretrain know it by")
@click.option("--vocabulary", type=click.Path(path_type=Path), metavar="FILE",
              help="its SentencePiece model, where the folder has none")  # fmt: skip
@with_options(place_options)
def import_command(source: str, name: str, vocabulary: Path | None, **where: Any) -> None:
    """Import a checkpoint in XLM-R's format, or a SentencePiece vocabulary.

    SOURCE is a folder or hf://ID[@REVISION] with config.json, model.safetensors or pytorch_model.bin (in one file or
    several) and sentencepiece.bpe.model: it becomes a checkpoint. A file NAME.model becomes a vocabulary.

    \b
    Example: xlmr import hf://FacebookAI/xlm-roberta-base --name xlm-r-base
             xlmr import sentencepiece.bpe.model --name mine
             xlmr evaluate --set checkpoint=xlm-r-base
    """
    from pipeline.imports import import_checkpoint, import_vocabulary

    store = open_store(read_deployment(**where).store)
    if Path(source).is_file():
        if vocabulary is not None:
            raise BadConfig(f"{source}: a file, so it is the vocabulary: leave out --vocabulary")
        click.echo(import_vocabulary(store, Path(source), name))
    else:
        click.echo(import_checkpoint(store, source, name, vocabulary))


@click.command("export", short_help="Copy a checkpoint into a folder.")
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="folder to write")
@with_options(place_options)
def export_command(checkpoint: str, folder: Path, **where: Any) -> None:
    """Copy a checkpoint of the store into a folder that transformers loads.

    CHECKPOINT is a name, NAME@UPDATE for a milestone, or the URI of a manifest of export.

    \b
    Example: xlmr export cc100-base --to models/cc100-base
             xlmr export cc100-base@50000 --to models/early
    """
    from pipeline.checkpoints import checkpoint_key

    store = open_store(read_deployment(**where).store)
    manifest = store.manifest(checkpoint_key(store, checkpoint))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadConfig(f"{folder}: there is something already: choose another folder")
    place = folder.absolute()  # `.` has no name
    aside = place.with_name(f".{place.name}.{uuid4().hex}")
    try:  # the folder appears whole, so that the same command can be given again
        for artifact in manifest.artifacts:
            target = aside / artifact.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.open(artifact), target)
        aside.replace(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    click.echo(folder)


@click.command("trim", short_help="Cut a vocabulary to chosen languages.")
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.option("--name", required=True, callback=_name, help="name of the trimmed checkpoint")
@click.option("--languages", default="", metavar="en,sw", help="languages of the release whose pieces are kept")
@click.option("--release", default="cc100", show_default=True, metavar="NAME", help="release with their text")
@click.option("--text", "texts", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="text file whose pieces are kept; several: repeat it")  # fmt: skip
@click.option("--min-count", type=click.IntRange(1), default=1, show_default=True,
              help="least occurrences of a piece that is kept")  # fmt: skip
@with_options(place_options)
def trim_command(
    checkpoint: str, name: str, languages: str, release: str, texts: tuple[Path, ...], min_count: int, **where: Any
) -> None:
    """Cut a checkpoint's vocabulary to the pieces that some text uses.

    The pieces of the chosen languages' text in a release, of text files, or of both are kept, with all characters that
    they need. Outputs for text of kept pieces stay equal. The sizes before and after go to stderr.

    \b
    Example: xlmr trim xlm-r-base --languages en,sw --release mine --name xlm-r-en-sw
             xlmr trim xlm-r-base --text corpus.txt --min-count 5 --name xlm-r-small
    """
    from pipeline.checkpoints import trim_checkpoint

    store = open_store(read_deployment(**where).store)
    chosen = tuple(sorted(filter(None, map(str.strip, languages.split(",")))))
    uri = trim_checkpoint(store, checkpoint, name, release, chosen, texts, min_count)
    _tell_sizes(store, uri)
    click.echo(uri)


@click.command("extend", short_help="Add languages to a checkpoint.")
@click.argument("checkpoint", metavar="CHECKPOINT")
@click.option("--name", required=True, callback=_name, help="name of the extended checkpoint")
@click.option("--release", required=True, metavar="NAME", help="release with text of the new and of the old languages")
@click.option("--languages", required=True, metavar="sw,ur", help="the new languages")
@click.option("--pieces", type=click.IntRange(10, 500_000), default=10_000, show_default=True,
              help="SentencePiece pieces that are looked for in the new languages' text")  # fmt: skip
@click.option("--penalty-nats", type=NumberRange(0, 20), default=0.0, show_default=True,
              help="lowers the new pieces' scores, so that less old text is cut anew")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print JSON: sizes, old text cut anew, perplexities")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="processes at a time")
@with_options(settings_options, place_options)
def extend_command(
    checkpoint: str, name: str, release: str, languages: str, pieces: int, penalty_nats: float, as_json: bool,
    workers: int, **given: Any,
) -> None:  # fmt: skip
    """Add languages to a checkpoint in one run.

    Pieces of the new languages' text are appended to the vocabulary (old ids stay), their rows begin as the mean of
    the rows that they replace, and masked-LM training goes on with all languages of the release, the old ones sampled
    along. Perplexities of each language on held-out blocks, before and after, go to stdout. The checkpoint before
    training is kept as NAME-start. --settings and --set are those of pretraining.

    \b
    Example: xlmr extend xlm-r-base --release mine --languages sw,ur --name xlm-r-more --set steps=20000
    Settings: xlmr settings pretrain
    """
    from pipeline.checkpoints import ExtendConfig, extend_checkpoint
    from pipeline.extension_report import extension_report, extension_table

    deployment = read_deployment(**{place: given.pop(place) for place in PLACES})
    own = (f"start_from={name}-start", f"training_release={release}", f"model_name={name}")
    first = ("validate_first=true", "validation_blocks=64")
    settings = read_settings(PRETRAIN, deployment, given["settings_file"], (*first, *given["pairs"], *own))
    new = tuple(sorted(filter(None, map(str.strip, languages.split(",")))))
    if not new:
        raise BadConfig("--languages: none: name the new languages, e.g. sw,ur")
    config = ExtendConfig(languages=new, pieces=pieces, penalty_nats=penalty_nats)
    store = open_store(deployment.store)
    began = extend_checkpoint(store, checkpoint, f"{name}-start", release, config)
    _tell_sizes(store, began)
    start(PRETRAIN, settings, deployment, None, None, workers, dry_run=False, quiet=True)
    found = extension_report(store, began, name)
    click.echo(json.dumps(found, indent=1)) if as_json else Console().print(extension_table(found))


@click.command("fertility", short_help="Show how a vocabulary cuts each language.")
@click.argument("vocabulary", metavar="VOCABULARY")
@click.option("--release", default="", metavar="NAME", help="release to measure on [default: what was measured on "
              "lines held out when the vocabulary was trained]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@with_options(place_options)
def fertility_command(vocabulary: str, release: str, as_json: bool, **where: Any) -> None:
    """Show how finely a vocabulary cuts each language.

    Tokens per word (between spaces) and per character, and the share of tokens that are unknown.

    \b
    Example: xlmr fertility cc100
             xlmr fertility imported --release mine --json
    """
    from pipeline.fertility_table import fertility_of, fertility_table

    found = fertility_of(open_store(read_deployment(**where).store), vocabulary, release)
    click.echo(json.dumps(found, indent=1)) if as_json else Console().print(fertility_table(found))


def _tell_sizes(store: ArtifactStore, uri: str) -> None:
    counts = store.manifest(uri).counts
    click.echo(
        f"ids: {counts['old_ids']:,} before, {counts['ids']:,} now ({counts['kept_ids']:,} of the old ones); "
        f"parameters: {counts['old_parameters']:,} before, {counts['parameters']:,} now",
        err=True,
    )


COMMANDS = (pretrain, import_command, export_command, trim_command, extend_command, fertility_command)
