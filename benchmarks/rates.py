"""CPU seconds, memory, storage and requests of each stage, from its real units on one core, for pipeline/estimate.py.

    OMP_NUM_THREADS=1 python -m benchmarks.rates
    python -m benchmarks.rates --crawl FOLDER --crawl-name WORDS --reference FOLDER --languages en,de,ru

Every unit runs in a fresh process of `pipeline.runner.run_work`, libraries imported before the clock starts.  A stage's
rate is the CPU time of its bodies per GB (10^9 bytes) of what AMOUNTS says that it reads.  The crawl's WET files are
repeated with other words until they hold --megabytes of text; its WARC files are read as they are.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.machine import cores, processor
from pipeline.deployment import Deployment
from pipeline.manifest import Manifest
from pipeline.plan import Plan, Work, select
from pipeline.runs import END_TO_END
from pipeline.store import ArtifactStore, open_store
from pipeline.tools import find_language_identifier

RATES = Path(__file__).resolve().parents[1] / "pipeline" / "rates.json"
CRAWL, LARGE = "CC-MAIN-2026-34", "CC-MAIN-2026-38"
LARGER = 3  # the large dump's text beside the small one's
# Of these the rate is what the large dump takes more than the small one: a task of a real dump is long, so loading a
# model and meeting a word for the first time do not count there.
BY_DIFFERENCE = (
    "extract", "hash_paragraphs", "find_duplicates", "deduplicate", "identify", "filter_perplexity", "regroup",
)  # fmt: skip
GB, GIB = 1e9, 2**30
SLICES = 2
LIBRARIES = ("fasttext", "kenlm", "sentencepiece", "pyarrow", "numpy", "resiliparse")
IMPORTS = (
    "numpy", "pyarrow.parquet", "pyarrow.compute", "fasttext", "kenlm", "sentencepiece", "urllib3", "ccnet.extract",
    "ccnet.hashing", "ccnet.identify", "ccnet.perplexity", "ccnet.release", "ccnet.stats", "ccnet.duplicates",
    "ccnet.deduplicate", "ccnet.language_classifier", "ccnet.filters", "training.vocabulary", "training.blocks",
)  # fmt: skip
# What is a request on S3.  `local` brings an artifact, `upload` publishes one, `get` reads a manifest or pointer.
REQUESTS = ("get", "exists", "put_if_absent", "put", "upload", "local", "list", "delete")


class Measured:
    """The store of a run with what its manifests say of bytes."""

    def __init__(self, store: ArtifactStore, works: tuple[Work, ...], text_bytes: int, reference_bytes: int) -> None:
        self.store = store
        self.manifests: dict[str, list[Manifest]] = {}
        for work in works:
            self.manifests.setdefault(work.stage, []).append(store.manifest(work.key))
        self.text_bytes = text_bytes
        self.reference_bytes = reference_bytes

    def count(self, stage: str, name: str) -> int:
        return sum(found.counts.get(name, 0) for found in self.manifests[stage])

    def stored(self, stage: str, ending: str = "") -> int:
        """Bytes that the stage's units wrote themselves."""
        return sum(
            artifact.size_bytes
            for found in self.manifests[stage]
            for artifact in found.artifacts
            if artifact.name.endswith(ending) and artifact.key.startswith((f"{stage}/", "corpus/release="))
        )

    def texts(self, stage: str, column: str = "text") -> int:
        """Bytes of UTF-8 in the column of all Parquet files of the stage."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        found = 0
        for manifest in self.manifests[stage]:
            for artifact in manifest.artifacts:
                if artifact.name.endswith(".parquet"):
                    with pq.ParquetFile(self.store.open(artifact)) as file:
                        batches = file.iter_batches(columns=[column])
                        found += sum(pc.sum(pc.binary_length(b.column(0))).as_py() or 0 for b in batches)
        return found


# stage -> the bytes by which its rate counts, all units together, and what they are.  pipeline/estimate.py multiplies
# the rate with the same bytes of a dump.
Amount = tuple[str, Callable[[Measured], float]]
TEXT: Amount = ("text: the contents of the WET records of the slice", lambda run: run.text_bytes)
AMOUNTS: dict[str, Amount] = {
    "train_lm": ("reference text, uncompressed", lambda run: run.reference_bytes),
    "fetch": ("the crawl's files, compressed", lambda run: run.count("fetch", "bytes")),
    "extract": TEXT,
    "extract warc": ("the crawl's WARC files, compressed", lambda run: run.count("fetch", "bytes")),
    "hash_paragraphs": TEXT,
    "find_duplicates": ("hashes: 9 bytes a distinct line of a slice", lambda run: run.stored("hash_paragraphs")),
    "deduplicate": TEXT,
    "identify": ("text that deduplicate kept", lambda run: run.texts("deduplicate")),
    "choose_cut_offs": ("text of the samples that identify took, read and merged", lambda run: _sample_bytes(run)),
    "filter_perplexity": ("text that identify kept", lambda run: run.texts("filter_perplexity")),
    "find_copies": ("marks: 8 bytes a document of the language", lambda run: run.count("find_copies", "texts") * 8),
    "regroup": ("text of the language in the slices of the part", lambda run: run.texts("filter_perplexity")),
    "sample_vocabulary": ("text of the part in the release", lambda run: run.texts("regroup")),
    "train_vocabulary": ("sampled lines, uncompressed", lambda run: run.count("sample_vocabulary", "characters")),
    "encode": ("text of the part in the release", lambda run: run.texts("regroup")),
}


def _sample_bytes(run: Measured) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return sum(
        pc.sum(pc.binary_length(pq.read_table(file, columns=["text"])["text"])).as_py() or 0 for file in _samples(run)
    )


def _samples(run: Measured) -> list[Path]:
    return [run.store.open(found.artifact("sample.parquet")) for found in run.manifests["identify"]]


def _merge_s(run: Measured) -> float:
    """CPU seconds of choose_cut_offs for reading; what it scores is a sample alone, at filter_perplexity's rate."""
    from ccnet.sample import merge_samples

    begun = time.process_time()
    merge_samples(_samples(run), 2_000)
    return time.process_time() - begun


def run_unit(work: Work, root: str) -> dict[str, Any]:
    """In this process: run it, and say what it took.  Requests are the calls of the store's primitives."""
    import importlib

    from pipeline import runner

    for name in IMPORTS:
        importlib.import_module(name)
    calls: Counter[str] = Counter()

    def counted(uri: str) -> ArtifactStore:
        store = open_store(uri)
        for name in REQUESTS:
            setattr(store, name, _counting(getattr(store, name), name, calls))
        return store

    vars(runner)["open_store"] = counted
    runner.run_work(work, root)
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"peak_gib": max(peaks) / 2**20, "requests": dict(calls)}


def _counting(call: Callable[..., Any], name: str, calls: Counter[str]) -> Callable[..., Any]:
    def counting(*arguments: Any, **options: Any) -> Any:
        calls[name] += 1
        return call(*arguments, **options)

    return counting


def run_all(works: tuple[Work, ...], root: str, kept: Path) -> dict[str, list[dict[str, Any]]]:
    """stage -> what each of its units took, each in a process of its own; or what an earlier call kept in the file."""
    found: dict[str, list[dict[str, Any]]] = json.loads(kept.read_text()) if kept.exists() else {}
    if found:
        return found
    for number, work in enumerate(works, 1):
        command = [sys.executable, "-m", "benchmarks.rates", "--unit"]
        said = subprocess.run(command, input=pickle.dumps((work, root)), capture_output=True, check=False)
        if said.returncode:
            sys.exit(f"{work.stage} {work.unit}: {said.stderr.decode()[-3000:]}")
        found.setdefault(work.stage, []).append(json.loads(said.stdout.splitlines()[-1]))
        print(f"{number}/{len(works)} {work.stage} {work.unit}", file=sys.stderr)
    kept.write_text(json.dumps(found))
    return found


def enlarge(crawl: Path, dump: str, target: Path, name: str, megabytes: float) -> int:
    """Write the dump `name` of the WET files of `dump`, repeated, each time with another word at the end of each line;
    and its WARC files as they are.  Returns the bytes of the WET records' contents."""
    from ccnet.warc import Record, read_records

    base = f"crawl-data/{name}"
    names = gzip.decompress((crawl / f"crawl-data/{dump}/wet.paths.gz").read_bytes()).decode().split()
    records = [[found for found in read_records(crawl / path) if isinstance(found, Record)] for path in names]
    contents = [[found.content for found in of_file if found.type == "conversion"] for of_file in records]
    paths: list[str] = []
    written, copy = 0, 0
    while written < megabytes * 1e6 or len(paths) < SLICES:
        word = b"" if not copy else (" " + "".join("abcdefghij"[int(digit)] for digit in str(copy))).encode()
        for number, texts in enumerate(contents):
            changed = [text.replace(b"\n", word + b"\n") for text in texts]
            paths.append(f"{base}/wet/{copy:05d}-{number:05d}.warc.wet.gz")
            _write(target / paths[-1], b"".join(gzip.compress(_record(text), 1) for text in changed))
            written += sum(map(len, changed))
        copy += 1
    _write(target / base / "wet.paths.gz", gzip.compress("".join(f"{path}\n" for path in paths).encode()))
    pages = gzip.decompress((crawl / f"crawl-data/{dump}/warc.paths.gz").read_bytes())
    _write(target / base / "warc.paths.gz", gzip.compress(pages))
    for path in pages.decode().split():
        _write(target / path, (crawl / path).read_bytes())
    return written


def _record(text: bytes) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.example/\r\nContent-Length: {len(text)}"
    return head.encode() + b"\r\n\r\n" + text + b"\r\n\r\n"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def measure(
    folder: Path, crawl: Path, dump: str, reference: Path, languages: tuple[str, ...], megabytes: float
) -> dict[str, Any]:
    text_bytes = enlarge(crawl, dump, folder / "crawl", CRAWL, megabytes)
    large_bytes = enlarge(crawl, dump, folder / "crawl", LARGE, megabytes * LARGER)
    places = {
        "store": (folder / "store").as_uri(), "source": (folder / "crawl").as_uri() + "/",
        "language_identifier": str(find_language_identifier()), "reference": str(reference),
    }  # fmt: skip
    deployment = Deployment.parse(places)
    settings = {
        "dumps": [CRAWL], "languages": list(languages), "slices": SLICES, "dedup_ranges": 2, "part_gib": 10_000,
        "vocabulary_size": 8_000,
    }  # fmt: skip
    wet = _works(settings, deployment, "encode")
    warc = _works(settings | {"kind": "warc"}, deployment, "extract")
    large = _works(settings | {"dumps": [LARGE]}, deployment, "regroup")
    taken = run_all(wet, deployment.store, folder / "wet.json")
    pages = run_all(warc, deployment.store, folder / "warc.json")
    more = run_all(tuple(work for work in large if work not in wet), deployment.store, folder / "large.json")
    files = (reference / f"{language}.txt.gz" for language in languages)
    reference_bytes = sum(len(gzip.decompress(path.read_bytes())) for path in files)
    store = open_store(deployment.store)
    run, run_warc = (Measured(store, works, text_bytes, reference_bytes) for works in (wet, warc))
    run_large = Measured(store, large, large_bytes, reference_bytes)
    found = {stage: _row(run, stage, stage, taken[stage]) for stage in taken if stage in AMOUNTS}
    found["extract warc"] = _row(run_warc, "extract", "extract warc", pages["extract"])
    for stage in BY_DIFFERENCE:
        found[stage] = _difference(found[stage], _row(run_large, stage, stage, more[stage]))
    found["choose_cut_offs"]["seconds_per_gb"] = round(_merge_s(run_large) / _sample_bytes(run_large) * GB, 2)
    rest = {stage: _row(run, stage, "", taken[stage]) for stage in taken if stage not in AMOUNTS}
    return {"stages": found, "without_an_amount": rest, "shares_of_this_crawl": _shares(run_large)}


def _difference(small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    """The large dump's row, with the rate of what it has more."""
    seconds, size = large["cpu_s"] - small["cpu_s"], large["gb"] - small["gb"]
    return large | {"seconds_per_gb": round(seconds / size, 2), "small_cpu_s": small["cpu_s"], "small_gb": small["gb"]}


def _works(settings: Mapping[str, Any], deployment: Deployment, until: str) -> tuple[Work, ...]:
    return select(Plan(END_TO_END, END_TO_END.settings.parse(settings), deployment), until)


def _row(run: Measured, stage: str, amount: str, units: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = sum(found.cpu_seconds for found in run.manifests[stage])
    row: dict[str, Any] = {"cpu_s": round(seconds, 2)}
    if amount:
        what, count = AMOUNTS[amount]
        size = count(run)
        row = {"seconds_per_gb": round(seconds / size * GB, 2), "gb_are": what, "gb": round(size / GB, 6)} | row
        kept = run.texts("filter_perplexity") if stage == "identify" else size  # it writes only what it keeps
        row["stored_per_byte"] = round(run.stored(stage) / kept, 4)
    else:
        inputs = sum(len(found.inputs) for found in run.manifests[stage])
        row = {"seconds_per_input": round(seconds / max(1, inputs), 4), "inputs": inputs} | row
    requests: Counter[str] = Counter()
    for unit in units:
        requests.update(unit["requests"])
    row["peak_gib"] = round(max(unit["peak_gib"] for unit in units), 2)
    row["units"] = len(units)
    row["requests_per_unit"] = {name: round(n / len(units), 1) for name, n in sorted(requests.items())}
    return row


def _shares(run: Measured) -> dict[str, float]:
    """What this crawl is like; an estimate takes a dump's own shares (pipeline/estimate.py)."""
    extracted, kept, named = run.texts("extract"), run.texts("deduplicate"), run.texts("filter_perplexity")
    lines, hashes = run.count("extract", "paragraphs_kept"), run.count("hash_paragraphs", "hashes")
    return {
        "extracted_of_text": round(extracted / run.text_bytes, 3),
        "kept_after_dedup": round(kept / run.text_bytes, 3),
        "kept_in_the_languages": round(named / kept, 3),
        "bytes_a_line": round(extracted / lines, 1),
        "distinct_lines_of_a_slice": round(hashes / lines, 3),
        "lost_of_distinct_lines": round(run.count("find_duplicates", "duplicates") / hashes, 3),
        "bytes_a_document": round(extracted / run.count("extract", "documents_kept")),
    }


def header(arguments: argparse.Namespace, languages: tuple[str, ...]) -> dict[str, Any]:
    folders = [f"--{name} FOLDER" for name in ("crawl", "reference") if getattr(arguments, name)]  # not whose
    given = "".join(
        f" {one}" for one in [*folders, *([f"--languages {arguments.languages}"] * bool(arguments.languages))]
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"one core of a shared {cores()}-core {processor()}",
        "load_average": round(os.getloadavg()[0], 1),
        "command": f"OMP_NUM_THREADS=1 python -m benchmarks.rates{given} --megabytes {arguments.megabytes:g}",
        "crawl": arguments.crawl_name,
        "languages": list(languages),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }


def keep_apart(found: dict[str, Any], stated: Path) -> None:
    """Keep the rows of optional stages, which were measured by themselves (`measured` says how)."""
    known = json.loads(stated.read_text(encoding="utf-8")) if stated.exists() else {}
    for kind in ("stages", "without_an_amount"):
        apart = {stage: row for stage, row in known.get(kind, {}).items() if "measured" in row}
        found[kind] = apart | found[kind]


def main() -> None:
    if sys.argv[1:] == ["--unit"]:
        work, root = pickle.load(sys.stdin.buffer)
        print(json.dumps(run_unit(work, root)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crawl", type=Path, help="folder in Common Crawl's layout [default: the small written crawl]")
    parser.add_argument("--dump", default="CC-MAIN-2019-35", help="which dump of --crawl")
    parser.add_argument("--crawl-name", default="the small written crawl, repeated", help="its name in the result")
    parser.add_argument("--reference", type=Path, help="folder of LANG.txt.gz [default: the small written one]")
    parser.add_argument("--languages", default="", help="comma-separated [default: those of the reference text]")
    parser.add_argument("--megabytes", type=float, default=100.0, help="WET text to read, MB")
    parser.add_argument("--folder", type=Path, help="work here and keep it [default: a temporary folder]")
    parser.add_argument("--json", type=Path, default=RATES)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="xlmr-small-") as name:
        crawl, dump, reference = arguments.crawl, arguments.dump, arguments.reference
        if crawl is None or reference is None:
            from embedded.crawls import make_small_crawls
            from embedded.reference import make_small_reference

            if crawl is None:
                dump = make_small_crawls(Path(name) / "crawl").crawls[0]
                crawl = Path(name) / "crawl"
            reference = reference or make_small_reference(Path(name) / "reference")
        there = sorted(path.name.removesuffix(".txt.gz") for path in reference.glob("*.txt.gz"))
        languages = tuple(arguments.languages.split(",")) if arguments.languages else tuple(there)
        folder = (arguments.folder or Path(name) / "run").resolve()
        measured = measure(folder, crawl.resolve(), dump, reference, languages, arguments.megabytes)
        found = header(arguments, languages) | measured
    keep_apart(found, arguments.json)
    arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
