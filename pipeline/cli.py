"""`xlmr VERB`: walk the whole flow or a part of it, and look at what is in the store.

stdout holds the answer (manifest URIs, a table, JSON with --json); stderr the log and the bar.
Exit status: 0 done, 2 asked wrong, 75 try again.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.logging import RichHandler

from pipeline.errors import BadConfig, FactoryError
from pipeline.store import ArtifactStore, open_store

DEFAULT_SETTINGS = Path("var/settings.json")  # `make run` leaves its settings there
VERBS = {
    "vocabulary": ("train_vocabulary", "the SentencePiece vocabulary of the release"),
    "pretrain": ("pretrain", "masked-LM pretraining under torchrun"),
    "export": ("export", "the checkpoint as a Hugging Face folder"),
    "evaluate": ("evaluate", "fine-tune and score every benchmark"),
    "report": ("report", "report.json and report.html of the whole run"),
}

settings_options = [
    click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="JSON file of settings "
                 f"[default: {DEFAULT_SETTINGS} where it stands]"),
    click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="one setting; JSON or plain text"),
    click.option("--store", help="store of all artifacts, file:///folder or s3://bucket/prefix"),
]  # fmt: skip
run_options = [
    click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="processes at a time"),
    click.option("--dry-run", is_flag=True, help="say what is there and what is not, and stop"),
]


Command = TypeVar("Command", bound=Callable[..., Any])


def _with(options: list[Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="also the stages' own log")
def xlmr(verbose: bool) -> None:
    level = logging.INFO if verbose else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s")


@xlmr.command()
@click.argument("target", metavar="STAGE|PIPELINE")
@click.option("--unit", help="one unit of the stage, e.g. CC-MAIN-2019-35/00000-of-00002")
@_with(settings_options + run_options)
def run(target: str, unit: str | None, workers: int, dry_run: bool, **where: Any) -> None:
    """Run a pipeline (corpus, release, pretrain, evaluate, end_to_end) or a stage with all that it needs.

    \b
    Example: xlmr run end_to_end --settings run.json
             xlmr run identify --unit CC-MAIN-2019-35/00000-of-00002 --set language_threshold=0.65
    """
    walk(target, unit, read_settings(**where), workers, dry_run)


def _add_verb(verb: str, stage: str, what: str) -> None:
    @_with(settings_options + run_options)
    def command(workers: int, dry_run: bool, **where: Any) -> None:
        walk(stage, None, read_settings(**where), workers, dry_run)

    command.__doc__ = f"Make {what}; what is there already is kept.\n\n\b\nExample: xlmr {verb} --set languages=en,sw"
    xlmr.command(verb)(command)


for _verb, (_stage, _what) in VERBS.items():
    _add_verb(_verb, _stage, _what)


@xlmr.command()
@click.argument("more", nargs=-1, metavar="[FILE|ID]...")
@click.option(
    "--recipe",
    type=click.Choice(["cc100", "ccnet"]),
    default="cc100",
    show_default=True,
    help="cc100: crawl dumps into a store; ccnet: local WET or WARC files exactly as CCNet treats them",
)
@click.option("--input", "files", multiple=True, metavar="FILE...", help="ccnet: WET or WARC files")
@click.option(
    "--language-models", type=click.Path(path_type=Path), help="ccnet: folder of LANG.sp.model, LANG.arpa.bin"
)
@click.option(
    "--language-identifier",
    type=click.Path(path_type=Path),
    help="a fastText model [default: the lid.176 that `make install` fetched]",
)
@click.option("--output", type=click.Path(path_type=Path), help="ccnet: folder for the Parquet release")
@click.option(
    "--cut-offs",
    type=click.Path(path_type=Path, exists=True),
    help="ccnet: table of percentiles 30 and 60 [default: cutoffs.tsv beside the models, else CCNet's published ones]",
)
@click.option("--min-characters", type=click.IntRange(1), default=300, show_default=True, help="ccnet: least text")
@click.option("--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="ccnet: least score")
@click.option("--languages", default="", metavar="en,sw", help="codes to keep [default: all]")
@click.option("--source", help="cc100: base of the crawl, http or file [default: Common Crawl]")
@click.option("--crawl", "crawls", multiple=True, metavar="ID...", help="cc100: dumps, e.g. CC-MAIN-2019-35")
@_with(settings_options + run_options)
def corpus(recipe: str, more: tuple[str, ...], workers: int, dry_run: bool, **given: Any) -> None:
    """Make the corpus: crawl dumps to the published CC-100 release, or CCNet's recipe on local files.

    \b
    Example: xlmr corpus --source https://data.commoncrawl.org/ --crawl CC-MAIN-2019-35 --store file:///data/store
             xlmr corpus --recipe ccnet --input *.warc.wet.gz --language-models lm/ --output corpus/
    """
    from pipeline import corpus_command
    from pipeline.tools import find_language_identifier

    identifier = given.pop("language_identifier") or find_language_identifier()
    files, languages = (*given.pop("files"), *more), tuple(filter(None, given.pop("languages").split(",")))
    models, output, cut_offs = (given.pop(name) for name in ("language_models", "output", "cut_offs"))
    options = {name: given.pop(name) for name in ("min_characters", "threshold")}
    source, crawls = given.pop("source"), given.pop("crawls")
    if recipe == "ccnet":
        if not (files and models and output):
            raise BadConfig("--recipe ccnet wants --input FILE..., --language-models DIR and --output DIR")
        counts = corpus_command.local_corpus(
            [Path(name) for name in files], models, identifier, output, cut_offs, workers, Console(stderr=True),
            languages=languages, **options,
        )  # fmt: skip
        click.echo(corpus_command.summary(counts))
        click.echo(output)
        return
    if output or models:
        raise BadConfig("--recipe cc100 writes into --store: --output and --language-models belong to --recipe ccnet")
    settings = corpus_command.crawl_settings(read_settings(**given), identifier, source, (*crawls, *more), languages)
    walk("publish", None, settings, workers, dry_run)


@xlmr.command()
@click.argument("folder", required=False, metavar="[RELEASE]", type=click.Path(path_type=Path))
@_with(settings_options)
@click.option("--json", "as_json", is_flag=True, help="for programs")
@click.option("--csv", "as_csv", is_flag=True, help="one line a language, bucket and dump")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="figure to write: .svg, .png or .pdf")
def stats(folder: Path | None, as_json: bool, as_csv: bool, plot: Path | None, **where: Any) -> None:
    """Per-language statistics of the store's release, or of a release in a folder, beside the paper's Table 6.

    \b
    Example: xlmr stats --json | jq '.languages.sw'
             xlmr stats corpus/ --plot corpus.png
    """
    from pipeline.corpus_table import corpus_csv, corpus_statistics_of, corpus_table, folder_statistics

    statistics = folder_statistics(folder) if folder else corpus_statistics_of(_store(where), read_settings(**where))
    if plot:
        if plot.suffix not in (".svg", ".png", ".pdf") or not plot.parent.is_dir():
            raise BadConfig(f"--plot {plot}: wanted a name ending in .svg, .png or .pdf in a folder that is there")
        from ccnet.stats_plot import plot_corpus

        plot_corpus(statistics, plot)
    if as_json:
        click.echo(json.dumps(statistics, indent=1, sort_keys=True, ensure_ascii=False))
    elif as_csv:
        click.echo(corpus_csv(statistics), nl=False)
    else:
        Console().print(corpus_table(statistics))


@xlmr.command("list")
@click.argument("stage", required=False, default="")
@_with(settings_options)
def list_manifests(stage: str, **where: Any) -> None:
    """The manifests in the store, of one stage or of all.

    \b
    Example: xlmr list evaluate
    """
    from pipeline.manifest import MANIFEST_NAME

    store = _store(where)
    for key in store.list(f"{stage}/" if stage else ""):
        if key.endswith(f"/{MANIFEST_NAME}"):
            click.echo(store.uri(key))


@xlmr.command()
@click.argument("uri")
@_with(settings_options)
def show(uri: str, **where: Any) -> None:
    """A manifest: config, inputs, artifacts, counts, versions, seconds.

    \b
    Example: xlmr show file:///data/store/identify/CC-MAIN-2019-35/00000-of-00002/0a…/manifest.json
    """
    click.echo(_store(where, uri).manifest(uri).to_json().decode(), nl=False)


@xlmr.command()
@click.argument("uri")
@click.option("--json", "as_json", is_flag=True, help="for programs: manifests and crawl files")
@_with(settings_options)
def trace(uri: str, as_json: bool, **where: Any) -> None:
    """All that a manifest was made from, back to the crawl's files.

    \b
    Example: xlmr trace "$(xlmr list evaluate | head -n 1)"
    """
    from pipeline.lineage import sources
    from pipeline.lineage import trace as walk_back

    store = _store(where, uri)
    ancestors = list(walk_back(store, uri))
    files = sources(store, uri)
    if as_json:
        keys = [store.uri(ancestor.manifest.key) for ancestor in ancestors if not ancestor.seen]
        click.echo(json.dumps({"manifests": keys, "crawl_files": files}, indent=1))
        return
    for ancestor in ancestors:
        manifest, indent = ancestor.manifest, "  " * ancestor.depth
        above = "  (above)" if ancestor.seen and manifest.inputs else ""
        click.echo(f"{indent}{manifest.stage} {manifest.unit} {manifest.fingerprint}{above}")
        if manifest.stage in ("fetch", "ingest") and not ancestor.seen:
            for artifact in manifest.artifacts:
                click.echo(f"{indent}  {artifact.name}  {artifact.size_bytes:,} bytes  sha256 {artifact.sha256[:16]}…")
    click.echo(f"\n{len(files)} crawl files:")
    for name in files:
        click.echo(f"  {name}")


@xlmr.command()
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def minify(release: Path, output: Path) -> None:
    """A release without its text: where each document lies in the crawl, which lines stay, scores.

    \b
    Example: xlmr minify corpus/ corpus-minified/
    """
    _transform("minify", release, output)


@xlmr.command()
@click.argument("minified", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--source", default="https://data.commoncrawl.org/", show_default=True, help="base of the crawl")
def reproduce(minified: Path, output: Path, source: str) -> None:
    """The text of a minified release, rebuilt from the crawl and checked.

    \b
    Example: xlmr reproduce corpus-minified/ corpus/ --source https://data.commoncrawl.org/
    """
    _transform("reproduce", minified, output, source)


@xlmr.command("export-text")
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--buckets", default="", metavar="head,all", help="buckets to take [default: all of them]")
def export_text(release: Path, output: Path, buckets: str) -> None:
    """LANG.txt.xz as the public CC-100 has it: a paragraph a line, a blank line between documents.

    \b
    Example: xlmr export-text corpus/ text/ --buckets head,all
    """
    _transform("export-text", release, output, buckets=tuple(filter(None, buckets.split(","))))


@xlmr.command()
@click.argument("languages", metavar="en,sw,ur")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--source", default="", help="base of the dumps, http or file [default: Wikimedia's CirrusSearch dumps]")
@click.option("--field", type=click.Choice(["opening_text", "text"]), default="opening_text", show_default=True,
              help="an article's opening (CCNet) or all of it, for languages of little text")  # fmt: skip
@click.option("--max-articles", type=click.IntRange(1), default=1_000_000, show_default=True, help="of a language")
def wikipedia(languages: str, output: Path, **options: Any) -> None:
    """Reference text that language models are trained on: LANG.txt.gz, an article a line.

    \b
    Example: xlmr wikipedia sw,ur reference/ && xlmr corpus --crawl CC-MAIN-2019-35 --set reference=reference/
    """
    from pipeline.corpus_command import wikipedia_reference

    wikipedia_reference(languages.split(","), output, Console(stderr=True), **options)
    click.echo(output)


def _transform(verb: str, source: Path, output: Path, crawl: str = "", buckets: Sequence[str] = ()) -> None:
    from pipeline import corpus_command

    click.echo(corpus_command.transform(verb, source, output, crawl, buckets), err=True)
    click.echo(output)


def walk(target: str, unit: str | None, settings: Mapping[str, Any], workers: int, dry_run: bool) -> None:
    """Run the chosen work in-process with a bar on stderr; print the last stage's URIs."""
    from pipeline.flow import FLOWS, plan, select
    from pipeline.follow import Follower
    from pipeline.runner import run_plan
    from pipeline.settings import RunSettings

    parsed = RunSettings.parse(settings)
    store = open_store(parsed.store)
    last = FLOWS[target][-1] if target in FLOWS else target
    works = select(plan(parsed), last, unit)
    if dry_run:
        for work in works:
            click.echo(f"{'there  ' if store.exists(work.key) else 'missing'} {work.stage} {work.unit}")
        return
    follower = Follower(works, store, Console(stderr=True))
    with follower.bar:
        run_plan(works, parsed.store, workers=workers, on_done=follower.done, on_wait=follower.poll)
    for work in works:
        if work.stage == last:
            click.echo(store.uri(work.key))


def read_settings(settings_file: Path | None, pairs: tuple[str, ...], store: str | None) -> dict[str, Any]:
    """Settings of the file, then of --set, then --store.  Raises BadConfig."""
    path = settings_file or DEFAULT_SETTINGS
    values: dict[str, Any] = {}
    if settings_file or path.exists():
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadConfig(f"{path}: {error}: wanted a JSON file of settings") from error
    given = parse_pairs(pairs)
    values |= {f"{name}_sha256": "" for name in given if f"{name}_sha256" in values} | given
    if store:
        values["store"] = store
    return values


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE options as settings; a comma makes a list where the setting is one.  Raises BadConfig."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, given, text = pair.partition("=")
        if not given:
            raise BadConfig(f"--set {pair!r}: wanted NAME=VALUE")
        found[name] = _value(name, text)
    return found


LISTS = ("crawls", "languages", "buckets", "benchmarks", "seeds")


def _value(name: str, text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        value = text.split(",") if name in LISTS else text
    return [value] if name in LISTS and not isinstance(value, list) else value


def _store(where: Mapping[str, Any], uri: str = "") -> ArtifactStore:
    """The store that a whole URI lies in; else the one named by --store or the settings."""
    if "://" in uri:
        from pipeline.stages import NAMES

        roots = [root for name in NAMES for root, found, _ in [uri.rpartition(f"/{name}/")] if found]
        if roots:
            return open_store(min(roots, key=len))
    settings = read_settings(**where)
    if "store" in settings:
        return open_store(settings["store"])
    raise BadConfig("no store: pass --store file:///folder or s3://bucket/prefix")


def main() -> None:
    """Run the command line; every error of the user is one line."""
    try:
        xlmr(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except FactoryError as error:
        click.echo(f"xlmr: {error}", err=True)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
