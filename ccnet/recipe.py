"""CCNet's recipe on local crawl files, in two passes over them: hash every paragraph, then keep, name and score.

The passes are the stages' own batch functions, one after another in memory; between the passes a file's text and
hashes lie in a scratch folder, so memory does not grow with the number of files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ccnet.archive_check import check_archive
from ccnet.arrow_alone import use_arrow_alone
from ccnet.deduplicate import deduplicate_batch
from ccnet.document import CorpusError
from ccnet.duplicates import find_duplicates, load_hashes
from ccnet.extract import check_readable, read_documents
from ccnet.hashing import Hashes, hash_lines, write_hashes
from ccnet.identify import LanguageIdentifier, identify_batch
from ccnet.languages import script_free
from ccnet.perplexity import CutOffs, LanguageModels, ModelFiles, check_model, score_batch
from ccnet.release import PartWriters
from ccnet.shards import EXTRACTED, batches_of

if TYPE_CHECKING:
    from ccnet.block_list import BlockList
    from ccnet.robots import RobotsRules

Counts = dict[str, Counter[str]]  # step -> counts
OnFile = Callable[[str, int], None]  # pass, bytes of the file it is through with
HASHED = pa.schema([*EXTRACTED, ("hashes", pa.list_(pa.uint64()))])
SCRIPT_CODES = frozenset(("zh-Hans", "zh-Hant", "my_zaw"))  # which the script or encoding of a text decides
ROBOTS = "robots.parquet"
SUMMARY = "_release.json"  # readers of Parquet folders pass over names with an underscore


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides which documents stay, and where they go.  Without `languages` every language stays."""

    identifier: Path
    models: ModelFiles
    limits: Mapping[str, CutOffs]
    min_characters: int = 300
    threshold: float = 0.5
    languages: tuple[str, ...] = ()
    removals: Path | None = None  # a list of hosts and addresses whose pages go (ccnet/block_list.py)
    robots: tuple[Path, ...] = ()  # `robotstxt` files of the same dump
    robots_agents: tuple[str, ...] = ()  # the crawlers that they must allow

    @property
    def opt_out(self) -> tuple[Path, ...]:
        """Files that decide what goes at the end."""
        return (*self.robots, *([self.removals] if self.removals else []))

    def fingerprint(self, files: Sequence[Path]) -> str:
        """Of the recipe and of its files' names, sizes and times."""
        models = [path for language in sorted(self.models) for path in self.models[language]]
        seen = [
            [str(path), path.stat().st_size, path.stat().st_mtime_ns]
            for path in (*files, self.identifier, *models, *self.opt_out)
        ]
        limits = {language: [at.head, at.tail] for language, at in self.limits.items()}
        options = [self.min_characters, self.threshold, self.languages, limits, *self.robots_agents]
        return hashlib.sha256(json.dumps([seen, options], sort_keys=True).encode()).hexdigest()


def models_in(folder: Path) -> dict[str, tuple[Path, Path]]:
    """language -> (LANG.sp.model, LANG.arpa.bin) of a folder.  Raises CorpusError where half of a pair is missing."""
    found = {path.name.removesuffix(".arpa.bin"): path for path in sorted(folder.glob("*.arpa.bin"))}
    if not found:
        raise CorpusError(f"{folder}: holds no model: wanted LANG.sp.model and LANG.arpa.bin of each language")
    for language in found:
        if not (folder / f"{language}.sp.model").is_file():
            raise CorpusError(f"{folder}: {language}.arpa.bin without {language}.sp.model: wanted both")
    return {language: (folder / f"{language}.sp.model", path) for language, path in found.items()}


def make_corpus(
    files: Sequence[Path], output: Path, recipe: Recipe, *, workers: int = 1, on_file: OnFile = lambda *_: None
) -> Counts:
    """Write OUTPUT/lang=LANG/BUCKET-NNNNN.parquet and a summary of what was dropped, whole or not at all.

    All files are one group: a paragraph that two of their documents have is removed everywhere (CCNet takes some 3 %
    of a dump).  What stands from the same recipe and files is kept.  Raises CorpusError.
    """
    fingerprint = recipe.fingerprint(files)
    summary = output / SUMMARY
    standing = json.loads(summary.read_text()) if summary.is_file() else {}
    if standing.get("fingerprint") == fingerprint:
        for step in ("hash", "mine"):
            on_file(step, sum(path.stat().st_size for path in files))
        return {step: Counter(counts) for step, counts in standing["counts"].items()}
    output = output.absolute()
    check_inputs(files, output, recipe)
    if output.exists() and any(output.iterdir()):
        raise CorpusError(f"{output}: holds something else, or another recipe's work: wanted an empty folder, or none")
    with _aside(output) as (release, scratch):
        counts = _two_passes(files, release, scratch, recipe, workers, on_file)
        text = json.dumps({"fingerprint": fingerprint, "counts": counts}, indent=1, sort_keys=True)
        (release / SUMMARY).write_text(text + "\n", encoding="utf-8")
    return counts


def check_inputs(files: Sequence[Path], output: Path, recipe: Recipe) -> None:
    """What can be told before any work begins.  Raises CorpusError."""
    if output.exists() and not output.is_dir():
        raise CorpusError(f"{output}: is a file: wanted an empty folder, or none")
    for path in (*files, *recipe.robots):
        if fault := check_archive(path):
            raise CorpusError(f"{path}: {fault}: wanted a WARC or WET file")
    _check_languages(recipe)
    if bool(recipe.robots) != bool(recipe.robots_agents):
        raise CorpusError("robots: wanted robotstxt files and the names of crawlers, or neither")
    _removed(recipe.removals)
    for language, (pieces, ngrams) in recipe.models.items():
        if not recipe.languages or language in map(script_free, recipe.languages):
            check_model(pieces, ngrams)


def _check_languages(recipe: Recipe) -> None:
    from difflib import get_close_matches

    codes = _identifier(recipe.identifier).codes | SCRIPT_CODES
    for code in recipe.languages:
        if code not in codes:
            near = get_close_matches(code.lower(), codes, 1, 0.5)
            meant = f"did you mean {near[0]!r}?" if near else "wanted codes such as en, sw"
            raise CorpusError(f"languages: {code!r} is no language of {recipe.identifier.name}: {meant}")


@contextmanager
def _aside(output: Path) -> Iterator[tuple[Path, Path]]:
    """Folders beside the output; the release takes its name when the block ends well."""
    work = output.with_name(f".{output.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    release, scratch = work / "release", work / "scratch"
    try:
        for folder in (release, scratch):
            folder.mkdir(parents=True)
    except OSError as error:
        raise CorpusError(f"{output}: {error.strerror}: wanted a folder that can be made there") from error
    try:
        yield release, scratch
        if output.exists():
            output.rmdir()
        os.replace(release, output)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _two_passes(
    files: Sequence[Path], release: Path, scratch: Path, recipe: Recipe, workers: int, on_file: OnFile
) -> Counts:
    totals: Counts = {}
    spills = [scratch / f"{index:05d}" for index in range(len(files))]
    sizes = [path.stat().st_size for path in files]
    with _mapper(workers) as in_order:
        found = in_order(hash_file, files, spills, [recipe.min_characters] * len(files))
        for counts, size in zip(found, sizes, strict=True):
            _add(totals, counts)
            on_file("hash", size)
        _check(totals["extract"], files)
        hashes, losses = ([spill.with_suffix(end) for spill in spills] for end in (".hashes.npy", ".duplicates"))
        totals["find_duplicates"] = find_duplicates(hashes, losses)
        if recipe.robots:
            _gather_robots(recipe.robots, scratch)
        parts = range(len(files))
        mined = in_order(mine_file, spills, [release] * len(files), parts, [recipe] * len(files))
        for counts, size in zip(mined, sizes, strict=True):
            _add(totals, counts)
            on_file("mine", size)
    return totals


def hash_file(path: Path, spill: Path, min_characters: int) -> Counts:
    """First pass: a file's documents with the hashes of their lines to SPILL.arrow, its distinct ones to
    SPILL.hashes.npy."""
    counts: Counter[str] = Counter()
    found: list[tuple[Hashes, list[int]]] = []
    with pa.OSFile(str(spill.with_suffix(".arrow")), "wb") as sink, pa.ipc.new_file(sink, HASHED) as writer:
        for batch in batches_of(read_documents([(_segment(path), path)], counts, min_characters)):
            hashes, lines = hash_lines(batch.column("text").to_pylist()), batch.column("nlines").to_pylist()
            found.append((hashes, lines))
            offsets = pa.array(np.cumsum([0, *lines]), pa.int32())
            column = pa.ListArray.from_arrays(offsets, pa.array(hashes, pa.uint64()))
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, column], schema=HASHED))
    return {"extract": counts, "hash_paragraphs": write_hashes(found, [spill.with_suffix(".hashes.npy")])}


def mine_file(spill: Path, release: Path, part: int, recipe: Recipe) -> Counts:
    """Second pass: the documents of a file that keep a line and have a known language, scored, to their parts."""
    duplicates = load_hashes(spill.with_suffix(".duplicates"))
    identifier, models = _identifier(recipe.identifier), _models(tuple(recipe.models.items()))
    steps = ("deduplicate", "identify", "filter_perplexity", *(["opt_out"] if recipe.opt_out else []))
    counts: Counts = {step: Counter() for step in steps}
    robots, removed = _robots(recipe.robots_agents, spill), _removed(recipe.removals)
    with PartWriters(lambda language, bucket: release / f"lang={language}" / f"{bucket}-{part:05d}.parquet") as writers:
        for batch in _spilled(spill.with_suffix(".arrow")):
            hashes = batch.column("hashes").flatten().to_numpy()
            kept = deduplicate_batch(batch.select(EXTRACTED.names), hashes, duplicates, counts["deduplicate"])
            named = identify_batch(
                kept, identifier, counts["identify"], threshold=recipe.threshold, languages=recipe.languages
            )
            scored = score_batch(named, models, recipe.limits, counts["filter_perplexity"])
            writers.write(_stay(scored, removed, robots, counts["opt_out"]) if recipe.opt_out else scored)
    return counts


def _stay(
    batch: pa.RecordBatch, removed: BlockList | None, robots: RobotsRules | None, counts: Counter[str]
) -> pa.RecordBatch:
    """The documents whose pages neither robots.txt nor the removal list takes out."""
    reasons = [
        "robots_txt" if robots and not robots.allows(url) else "removal_list" if removed and removed.blocks(url) else ""
        for url in batch.column("url").to_pylist()
    ]
    stays = [not reason for reason in reasons]
    counts.update(f"dropped_{reason}" for reason in reasons if reason)
    counts.update(documents_in=len(stays), documents_kept=sum(stays))
    return batch.filter(pa.array(stays, pa.bool_()))


def _removed(path: Path | None) -> BlockList | None:
    return _block_list(path, path.stat().st_mtime_ns) if path else None


@cache
def _block_list(path: Path, changed_at: int) -> BlockList:
    from ccnet.block_list import read_block_list  # most runs need none

    return read_block_list(path)


def _gather_robots(files: Sequence[Path], scratch: Path) -> None:
    from ccnet.robots import gather_robots, read_robots

    read_robots(files, scratch / "robots-read.parquet")
    gather_robots([scratch / "robots-read.parquet"], scratch / ROBOTS)


def _robots(agents: Sequence[str], spill: Path) -> RobotsRules | None:
    if not agents:
        return None
    from ccnet.robots import RobotsRules

    urls = (url for batch in _spilled(spill.with_suffix(".arrow")) for url in batch.column("url").to_pylist())
    return RobotsRules(spill.with_name(ROBOTS), agents, urls)


def _spilled(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


@cache
def _identifier(path: Path) -> LanguageIdentifier:
    return LanguageIdentifier(path)


@cache
def _models(files: tuple[tuple[str, tuple[Path, Path]], ...]) -> LanguageModels:
    return LanguageModels(dict(files))


@contextmanager
def _mapper(workers: int) -> Iterator[Callable[..., Iterable[Counts]]]:
    if workers == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor  # a tenth of what this module's imports take
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=use_arrow_alone) as pool:
        yield pool.map


def _segment(path: Path) -> str:
    """The path inside a crawl where the file lies in one, else its name."""
    parts = path.parts
    return "/".join(parts[parts.index("crawl-data") :]) if "crawl-data" in parts else path.name


def _add(totals: Counts, counts: Counts) -> None:
    for step, found in counts.items():
        totals.setdefault(step, Counter()).update(found)


def _check(counts: Counter[str], files: Sequence[Path]) -> None:
    check_readable(counts, [path.name for path in files])
    if not counts["documents_kept"]:
        reasons = ", ".join(f"{n.removeprefix('dropped_')} {c}" for n, c in sorted(counts.items()) if "dropped" in n)
        raise CorpusError(f"{len(files)} files gave no document ({reasons or 'no WET or WARC record in them'})")
