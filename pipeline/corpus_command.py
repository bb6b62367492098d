"""`xlmr corpus`: the corpus of crawl dumps into a store, or CCNet's recipe on local files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pipeline.errors import BadConfig, BadInput, SourceUnavailable

CUT_OFFS = "cutoffs.tsv"


def local_corpus(
    files: Sequence[Path],
    models: Path,
    identifier: Path,
    output: Path,
    cut_offs: Path | None,
    workers: int,
    console: Console,
    **options: Any,
) -> dict[str, dict[str, int]]:
    """Run `ccnet.recipe` with a bar; returns what each step kept and dropped.  Raises FactoryError."""
    from ccnet.arrow_alone import use_arrow_alone
    from ccnet.cut_offs import ccnet_cut_offs, read_cut_offs
    from ccnet.document import CorpusError
    from ccnet.recipe import Recipe, check_inputs, make_corpus, models_in

    use_arrow_alone()
    _must_be_there([*files, identifier], models)
    options["languages"] = tuple(code.strip() for code in options.get("languages", ()))
    if "" in options["languages"]:
        raise BadConfig("--languages: one of the codes is empty: wanted codes such as en,sw")
    beside = models / CUT_OFFS
    try:
        table = cut_offs or (beside if beside.is_file() else None)
        recipe = Recipe(identifier, models_in(models), read_cut_offs(table) if table else ccnet_cut_offs(), **options)
        check_inputs(files, output, recipe)
        columns = (TextColumn("{task.description:<5}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            size = sum(path.stat().st_size for path in files)
            tasks = {step: bar.add_task(step, total=size) for step in ("hash", "mine")}
            counts = make_corpus(
                files, output, recipe, workers=workers, on_file=lambda step, done: bar.advance(tasks[step], done)
            )
    except CorpusError as error:
        raise BadInput(str(error)) from error
    return {step: dict(found) for step, found in counts.items()}


def crawl_settings(
    settings: dict[str, Any], identifier: Path, source: str | None, crawls: Sequence[str], languages: Sequence[str]
) -> dict[str, Any]:
    """Settings of a run whose source, dumps and languages are said on the command line; all languages by default."""
    from ccnet.languages import LANGUAGES

    found = {"language_identifier": str(identifier), "languages": sorted(LANGUAGES)} | settings
    if source:
        found["source"] = source
    if crawls:
        found["crawls"] = list(crawls)
    if languages:
        found["languages"] = list(languages)
    return found


def summary(counts: dict[str, dict[str, int]]) -> str:
    """One line a step: what came in, what stayed, what was dropped and why."""
    lines = []
    for step, found in counts.items():
        if "documents_in" not in found:
            continue
        reasons = [f"{name.removeprefix('dropped_').replace('_', ' ')} {count:,}"
                   for name, count in sorted(found.items()) if name.startswith("dropped_") and count]  # fmt: skip
        dropped = f"; dropped: {', '.join(reasons)}" if reasons else ""
        lines.append(f"{step}: {found['documents_in']:,} documents in, {found['documents_kept']:,} kept{dropped}")
    return "\n".join(lines)


def _must_be_there(files: Sequence[Path], folder: Path) -> None:
    for path in files:
        if path.is_dir():
            raise BadConfig(f"{path}: is a folder: wanted a file")
        if not path.is_file():
            raise BadConfig(f"{path}: no such file: check the path")
    if not folder.is_dir():
        raise BadConfig(f"{folder}: no such folder: wanted one that holds LANG.sp.model and LANG.arpa.bin")


def _check_source(base: str) -> None:
    """Raise BadConfig where the base of a crawl is neither a URL nor a folder."""
    scheme, parted, rest = base.partition("://")
    if parted and scheme not in ("http", "https", "file"):
        raise BadConfig(f"--source {base}: wanted https://…, http://…, file:///folder or a folder")
    folder = None if scheme in ("http", "https") else Path(unquote(rest) if parted else base)
    if folder is not None and not folder.is_dir():
        raise BadConfig(f"--source {base}: no such folder")


def wikipedia_reference(
    languages: Sequence[str], output: Path, console: Console, source: str, field: Any, max_articles: int
) -> None:
    """Write LANG.txt.gz of each language from the newest dump, with a line for each.  Raises FactoryError."""
    from ccnet.crawl import CrawlSource, PermanentCrawlError, TransientCrawlError
    from ccnet.document import CorpusError
    from ccnet.wikipedia import WIKIPEDIA, make_reference, wikis

    try:
        for wiki, codes in wikis(languages).items():
            console.print(f"{wiki}wiki: looking for its newest dump")
            dumps = CrawlSource(source or WIKIPEDIA)
            counts = make_reference(dumps, wiki, codes, output, field=field, max_articles=max_articles)
            for code in codes:
                found = f"{counts[code]:,} articles" if code in counts else "already there"
                console.print(f"{output / code}.txt.gz: {found}", highlight=False)
    except TransientCrawlError as error:
        raise SourceUnavailable(str(error)) from error
    except (PermanentCrawlError, CorpusError) as error:
        raise BadInput(str(error)) from error


def transform(verb: str, source: Path, output: Path, crawl: str, buckets: Sequence[str]) -> str:
    """`xlmr minify`, `reproduce` and `export-text`: one line on what was done.  Raises FactoryError."""
    from ccnet.crawl import CrawlSource, PermanentCrawlError, TransientCrawlError
    from ccnet.document import Bucket, CorpusError
    from ccnet.minify import minify_release, reproduce_release
    from ccnet.statmt import export_statmt

    if verb == "reproduce":
        _check_source(crawl)
    if verb != "export-text" and output.exists():
        raise BadConfig(f"{output}: already exists: choose another name")
    buckets = [bucket.strip() for bucket in buckets]
    if unknown := [bucket for bucket in buckets if bucket not in list(Bucket)]:
        raise BadConfig(f"--buckets {unknown[0]}: wanted some of {', '.join(Bucket)}")
    try:
        if verb == "export-text":
            found = export_statmt(source, output, buckets)
            return f"{found.total():,} documents of {len(found)} languages in {output}"
        if verb == "minify":
            counts = minify_release(source, output)
            size = f"{counts['bytes_written']:,} bytes for {counts['text_bytes']:,} of text"
            return f"{counts['documents']:,} documents, {size}"
        with tempfile.TemporaryDirectory() as folder:
            place, files = Path(folder) / "file", CrawlSource(crawl)

            def fetch(path: str) -> Path:
                place.unlink(missing_ok=True)
                files.fetch(path, place)
                return place

            return summary({"reproduce": dict(reproduce_release(source, fetch, output))})
    except TransientCrawlError as error:
        raise SourceUnavailable(str(error)) from error
    except (PermanentCrawlError, CorpusError) as error:
        raise BadInput(str(error)) from error
