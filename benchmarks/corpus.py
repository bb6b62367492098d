"""CCNet's recipe beside datatrove, cc_net and the native floor, on one core, in CPU seconds.

    python -m benchmarks.corpus --input x.warc.wet.gz --language-models lm/ --datatrove ENVIRONMENT --cc-net CHECKOUT

`peers` are whole new processes in turn (benchmarks/corpus_peers.py).  --datatrove: a virtual environment with
benchmarks/requirements.txt; --cc-net: a checkout of facebookresearch/cc_net with its own environment in .venv (what its
setup.py asks for, and numpy below 2: fastText's `predict` fails with 2), and WET files with the headers of before
2020-24.  What is not given is not run: its numbers in --json, if any, stay with their own date and load.

    python3.11 -m venv CHECKOUT/.venv
    CHECKOUT/.venv/bin/pip install "numpy<2" beautifulsoup4 fasttext func_argparse kenlm pandas psutil
    CHECKOUT/.venv/bin/pip install requests sacremoses sentencepiece submitit typing_extensions

Everything else runs in this process: models are loaded before the clock runs, and no word was met before.  The floor
is what the usual libraries' calls cost alone on the same text: inflate, fastText, SentencePiece, KenLM, Parquet; where
our own code does without one, we may fall below it.  mb_per_s counts WET text (the records' contents).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import fasttext
import kenlm
import numpy as np
import pyarrow.parquet as pq
import sentencepiece

import ccnet.extract
import ccnet.recipe
from benchmarks.corpus_peers import measure_peers, peers_of
from benchmarks.machine import measured
from benchmarks.memory import measure_dedup, measure_worker
from ccnet.cut_offs import ccnet_cut_offs
from ccnet.document import CorpusError
from ccnet.normalize import normalize_for_language_model
from ccnet.recipe import Recipe, hash_file, make_corpus, mine_file, models_in
from ccnet.shards import COMPRESSION
from ccnet.warc import Record, read_records
from pipeline.errors import FactoryError
from pipeline.tools import find_language_identifier

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("fasttext", "kenlm", "sentencepiece", "pyarrow", "numpy", "trafilatura")
GOLDEN = ROOT.parent / "shared" / "golden" / "ccnet"
WATCHED = {  # step -> function, which is replaced where it is called
    "decode html": (ccnet.extract, "decode_html"), "html to text": (ccnet.extract, "extract_text"),
    "hash_paragraphs": (ccnet.recipe, "hash_lines"), "deduplicate": (ccnet.recipe, "deduplicate_batch"),
    "identify": (ccnet.recipe, "identify_batch"), "perplexity": (ccnet.recipe, "score_batch"),
}  # fmt: skip


def measure(source: Path, recipe: Recipe, repeats: int, workspace: Path) -> dict[str, Any]:
    """Our recipe and the floor, one after another, `repeats` times."""
    contents = [r.content for r in read_records(source) if isinstance(r, Record) and r.type == "conversion"]
    megabytes = sum(map(len, contents)) / 1e6
    rounds: list[dict[str, Any]] = []
    run_ours(source, recipe, workspace / "warm")  # tables, models, imports
    for index in range(repeats):
        ours, stages, folder = run_ours(source, recipe, workspace / f"ours-{index}")
        floor = floor_seconds(source, folder, recipe)
        rounds.append({"ours": ours, "stages": stages, "floor": floor})
        print(f"round {index + 1}: ours warm {ours:.2f} s, floor {sum(floor.values()):.2f} s", file=sys.stderr)
    return summarize(rounds, megabytes, len(contents))


def run_ours(source: Path, recipe: Recipe, folder: Path) -> tuple[float, dict[str, float], Path]:
    """CPU seconds, of which by step, and the release.  Models are loaded before; no word was met before."""
    load_models(recipe)
    with watched() as spent:
        begun = time.process_time()
        make_corpus([source], folder, recipe)
        seconds = time.process_time() - begun
    spent["read, decide, write"] = seconds - sum(spent.values())
    return seconds, dict(spent), folder


def load_models(recipe: Recipe) -> None:
    """Anew, so that what they remember of words begins anew as well."""
    ccnet.recipe._identifier.cache_clear()
    ccnet.recipe._models.cache_clear()
    ccnet.recipe._identifier(recipe.identifier)
    models = ccnet.recipe._models(tuple(recipe.models.items()))
    for language in recipe.models:
        models.of(language)


@contextmanager
def watched() -> Iterator[Counter[str]]:
    """CPU seconds inside the recipe's batch functions."""
    spent: Counter[str] = Counter()
    originals = {step: getattr(module, name) for step, (module, name) in WATCHED.items()}

    def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[step] += time.process_time() - begun

        return call

    for step, (module, name) in WATCHED.items():
        setattr(module, name, timed(step, originals[step]))
    try:
        yield spent
    finally:
        for step, (module, name) in WATCHED.items():
            setattr(module, name, originals[step])


def floor_seconds(source: Path, folder: Path, recipe: Recipe) -> dict[str, float]:
    """CPU seconds of the library calls alone, on the text that each of them must see."""
    release = pq.read_table(folder)
    identified = _deduplicated(source, recipe, folder.with_name(folder.name + "-floor"))
    spent: dict[str, float] = {}

    def clock(step: str, work: Callable[[], Any]) -> Any:
        begun = time.process_time()
        result = work()
        spent[step] = spent.get(step, 0.0) + time.process_time() - begun
        return result

    data = source.read_bytes()
    clock("inflate", lambda: _inflate(data))
    model = fasttext.load_model(str(recipe.identifier)).f
    lines = [text.replace("\n", "") + "\n" for text in identified]
    clock("fasttext", lambda: [model.predict(line, 1, 0.0, "strict") for line in lines])
    languages = np.array(release.column("language").to_pylist())
    texts = release.column("text").to_pylist()
    for language, (pieces, ngrams) in recipe.models.items():
        chosen = [texts[row] for row in np.flatnonzero(languages == language)]
        processor = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
        normal = normalize_for_language_model(chosen)
        encoded = clock("sentencepiece", lambda p=processor, n=normal: p.encode(n, out_type=str, num_threads=1))
        joined, scorer = [" ".join(found) for found in encoded], kenlm.Model(str(ngrams))
        clock("kenlm", lambda s=scorer, j=joined: [s.score(line) for line in j])
    target = folder.with_name(f"{folder.name}.parquet")
    clock("parquet", lambda: pq.write_table(release, target, **COMPRESSION))
    return spent


def _deduplicated(source: Path, recipe: Recipe, folder: Path) -> list[str]:
    """The texts that the language identifier must see."""
    folder.mkdir()
    seen: list[str] = []
    original = ccnet.recipe.identify_batch

    def remember(batch: Any, *arguments: Any, **options: Any) -> Any:
        seen.extend(batch.column("text").to_pylist())
        return original(batch, *arguments, **options)

    hash_file(source, folder / "00000", recipe.min_characters)
    ccnet.recipe.find_duplicates([folder / "00000.hashes.npy"], [folder / "00000.duplicates"])
    ccnet.recipe.identify_batch = remember  # type: ignore[assignment]
    try:
        mine_file(folder / "00000", folder / "release", 0, recipe)
    finally:
        ccnet.recipe.identify_batch = original
    return seen


def _inflate(data: bytes) -> int:
    size = 0
    while data:
        member = zlib.decompressobj(31)
        size += len(member.decompress(data))
        data = member.unused_data
    return size


def summarize(rounds: list[dict[str, Any]], megabytes: float, documents: int) -> dict[str, Any]:
    ours = [found["ours"] for found in rounds]
    floors = [sum(found["floor"].values()) for found in rounds]
    result: dict[str, Any] = {
        "input_mb": round(megabytes, 2),
        "input_documents": documents,
        "rounds": len(rounds),
        "mb_per_s": round(megabytes / statistics.median(ours), 2),
        "floor_mb_per_s": round(megabytes / statistics.median(floors), 2),
        "floor_ratio": _ratio([a / b for a, b in zip(ours, floors, strict=True)]),
        "stages": _per_mb([found["stages"] for found in rounds], megabytes),
        "floor_stages": _per_mb([found["floor"] for found in rounds], megabytes),
    }
    result["floor_ratio"], result["floor_ratio_spread"] = result["floor_ratio"]
    return result


def _ratio(values: list[float]) -> tuple[float, list[float]]:
    return round(statistics.median(values), 2), [round(min(values), 2), round(max(values), 2)]


def _per_mb(rounds: list[dict[str, float]], megabytes: float) -> dict[str, float]:
    return {step: round(1000 * statistics.median(r[step] for r in rounds) / megabytes, 2) for step in rounds[0]}


def measure_growth(source: Path, recipe: Recipe, workspace: Path) -> dict[str, float]:
    """CPU seconds a MB at a quarter, a half and the whole of the input: flat where time grows linearly."""
    records = _raw_records(source)
    found = {}
    for share in (4, 2, 1):
        chosen = records[: len(records) // share]
        part = workspace / f"part-{share}.warc.wet.gz"
        part.write_bytes(b"".join(gzip.compress(record, 6) for record in chosen))
        seconds, _, _ = run_ours(part, recipe, workspace / f"growth-{share}")
        found[f"1/{share}"] = round(seconds / (sum(map(len, chosen)) / 1e6), 4)
    return found


def _raw_records(source: Path) -> list[bytes]:
    data = gzip.decompress(source.read_bytes())
    return [b"WARC/1.0\r\n" + rest for rest in data.split(b"WARC/1.0\r\n")[1:]]


def measure_workers(source: Path, recipe: Recipe, workspace: Path, copies: int = 20) -> dict[str, float]:
    """Elapsed seconds of one and of two workers over some 400 MB: the input several times, each time with
    other lines (digits would not do: they are all alike to deduplication)."""
    contents = [r.content for r in read_records(source) if isinstance(r, Record) and r.type == "conversion"]
    parts = []
    for copy in range(copies):
        parts.append(workspace / f"copy-{copy}.warc.wet.gz")
        changed = [
            content.replace(b"\n", b" " + b"abcdefghijklmnopqrstuvwxyz"[copy : copy + 1] + b"\n")
            for content in contents
        ]
        parts[-1].write_bytes(b"".join(gzip.compress(_record(text, copy), 1) for text in changed))
    elapsed_s = {}
    for workers in (1, 2):
        begun = time.monotonic()
        make_corpus(parts, workspace / f"workers-{workers}", recipe, workers=workers)
        elapsed_s[workers] = time.monotonic() - begun
    return {
        "one_s": round(elapsed_s[1], 2),
        "two_s": round(elapsed_s[2], 2),
        "speed_up": round(elapsed_s[1] / elapsed_s[2], 2),
    }


def _record(text: bytes, copy: int) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://copy-{copy}.example/\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text + b"\r\n\r\n"


def measure_alone(source: Path, warc: Path | None, recipe: Recipe, rounds: int, workspace: Path) -> dict[str, Any]:
    """Memory, steps beside the floor, growth, and pages from WARC: all but the peers."""
    memory = measure_worker(source, recipe, workspace)
    result: dict[str, Any] = {"peak_memory_mb": memory, "dedup_memory": measure_dedup(workspace)}
    result |= measure(source, recipe, rounds, workspace)
    result["cpu_s_per_mb_by_share_of_input"] = measure_growth(source, recipe, workspace)
    if warc:
        from benchmarks.pages import measure_pages

        result["pages"] = measure_pages(warc, recipe, workspace, run_ours)
    return result


def _standing(path: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, default=GOLDEN / "input.warc.wet.gz", help="a WET file")
    parser.add_argument("--language-models", type=Path, default=GOLDEN / "lm", help="LANG.sp.model, LANG.arpa.bin")
    parser.add_argument("--language-identifier", type=Path, default=None)
    parser.add_argument("--datatrove", type=Path, default=None, help="a virtual environment with datatrove")
    parser.add_argument("--cc-net", type=Path, default=None, help="a checkout of cc_net with its environment in .venv")
    parser.add_argument("--warc", type=Path, default=None, help="a WARC file: pages beside trafilatura")
    parser.add_argument("--rounds", type=int, default=5, help="of the peers and of the floor")
    parser.add_argument(
        "--peers-only", action="store_true", help="run the peers alone, and keep what else the result holds"
    )
    parser.add_argument("--json", type=Path, default=None, help="where the result goes; also printed")
    arguments = parser.parse_args()
    for path in filter(None, (arguments.input, arguments.warc)):
        if not path.is_file():
            sys.exit(f"{path}: no such file: this wants --input, a WET file, and --language-models, a folder of its "
                     "languages' LANG.sp.model and LANG.arpa.bin")  # fmt: skip
    try:
        identifier = arguments.language_identifier or find_language_identifier()
        recipe = Recipe(identifier, models_in(arguments.language_models), ccnet_cut_offs())
    except (CorpusError, FactoryError) as error:
        sys.exit(str(error))
    peers = peers_of(arguments.input, arguments.language_models, recipe, arguments.datatrove, arguments.cc_net)
    cores = os.sched_getaffinity(0)
    workspace = Path(tempfile.mkdtemp())
    try:
        os.sched_setaffinity(0, {min(cores)})
        standing = _standing(arguments.json)
        found: dict[str, Any] = {"machine": measured(*LIBRARIES)}
        found |= measure_peers(peers, arguments.rounds, workspace, standing.get("peers", {}))
        result: dict[str, Any] = {"peers": found}
        if arguments.peers_only:
            result = standing | result
        else:
            result |= {"machine": measured(*LIBRARIES)}
            result |= measure_alone(arguments.input, arguments.warc, recipe, arguments.rounds, workspace)
            os.sched_setaffinity(0, cores)
            result["workers"] = measure_workers(arguments.input, recipe, workspace)
    finally:
        shutil.rmtree(workspace)
    text = json.dumps(result, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
