"""A dump of many slices of small files through the real scheduler: PostgreSQL, LocalExecutor, the DAG xlmr_corpus.

Example: python -m benchmarks.scheduler --slices 100 --json benchmarks/results/scheduler.json

overhead_s_per_task = (wall seconds of the run x slots - seconds inside the stages' bodies) / tasks: starting a
task's process, Airflow's bookkeeping, waiting for the next task, and slots that idle where a stage has one task only.
Memory is the proportional set size (PSS), so pages that processes share are counted once.  Exit code 1 unless every
task succeeded.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import cores, free_port, processor
from benchmarks.postgres import postgres, query
from ccnet.warc import Record, read_records
from embedded.airflow import component
from embedded.airflow.client import DONE_STATES, Client
from embedded.airflow.environment import Secrets, environment
from embedded.airflow.processes import members, stop
from embedded.crawls import make_small_crawls
from pipeline.deployment import POOLS
from pipeline.manifest import Manifest
from pipeline.store import open_store

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "api-server": ["api-server", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],  # its log server listens on every interface
    "dag-processor": ["dag-processor"],
}
CRAWL = "CC-MAIN-2026-34"
DAG = "xlmr_corpus"
SAMPLE_EVERY_S = 5.0
LOOK_EVERY_S = 2.0
READY_TIMEOUT_S = 600.0


def make_dump(folder: Path, files: int) -> str:
    """A dump of small WET files, all with other lines: those of one file of the small written crawl, each with the
    file's own word at its end (digits would not do: they are all alike to deduplication).  Returns the base URI."""
    made = make_small_crawls(folder / "written")
    source = min((folder / "written").rglob("*.warc.wet.gz"))
    records = [found for found in read_records(source) if isinstance(found, Record) and found.type == "conversion"]
    base = f"crawl-data/{CRAWL}"
    paths = [f"{base}/segments/1.0/wet/CC-MAIN-{index:05d}.warc.wet.gz" for index in range(files)]
    for index, path in enumerate(paths):
        word = " " + "".join("abcdefghij"[int(digit)] for digit in f"{index:05d}")
        texts = [record.content.replace(b"\n", word.encode() + b"\n") for record in records]
        _write(folder / path, b"".join(gzip.compress(_record(text, index), 1) for text in texts))
    _write(folder / base / "wet.paths.gz", gzip.compress("".join(f"{path}\n" for path in paths).encode()))
    assert made.crawls
    return folder.resolve().as_uri() + "/"


def _record(text: bytes, index: int) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://file-{index}.example/\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text + b"\r\n\r\n"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@contextmanager
def airflow(
    home: Path, deployment: Path, database: str, slots: int
) -> Iterator[tuple[Client, dict[str, psutil.Process]]]:
    """The three components of one home on this database, ready for runs; all stopped in the end."""
    secrets, port = Secrets.of(home), free_port()
    secrets.write_passwords(home)
    variables = environment(home, ROOT / "dags", port, secrets, deployment) | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CORE__PARALLELISM": str(slots),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(slots),
    }
    with (home / "airflow.log").open("ab") as log, ExitStack() as stack:
        options: dict[str, Any] = {"env": variables, "cwd": home, "stdout": log, "stderr": log}
        subprocess.run([sys.executable, "-m", component.__name__, "db", "migrate"], check=True, **options)
        stack.callback(lambda: stop(lambda: members(home), print))
        processes = {
            name: psutil.Process(subprocess.Popen([sys.executable, "-m", component.__name__, *command],
                                                  stdin=subprocess.DEVNULL, start_new_session=True, **options).pid)
            for name, command in COMMANDS.items()
        }  # fmt: skip
        client = Client(f"http://127.0.0.1:{port}", secrets.password, home)
        _wait_ready(client, processes, home)
        for name, what in POOLS.items():
            body = {"name": name, "slots": slots, "description": what, "include_deferred": False}
            client.call("POST", "/api/v2/pools", body)
        yield client, processes


def _wait_ready(client: Client, processes: Mapping[str, psutil.Process], home: Path) -> None:
    from embedded.airflow.errors import AirflowError

    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            if client.health().get("scheduler") == "healthy" and DAG in client.dags():
                return
        except AirflowError:
            pass
        gone = [name for name, process in processes.items() if process.status() == psutil.STATUS_ZOMBIE]
        if gone or time.monotonic() > deadline:
            raise RuntimeError(f"Airflow did not get ready ({', '.join(gone) or 'too slow'}): see {home}/airflow.log")
        time.sleep(LOOK_EVERY_S)


class MemoryWatch(threading.Thread):
    """Largest PSS, MiB, of each component by itself and of what it started (the scheduler's: executor and tasks)."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        super().__init__(daemon=True)
        self._processes = dict(processes)
        self._ended = threading.Event()
        self.largest: dict[str, float] = {}

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            total = 0.0
            for name, process in self._processes.items():
                own, below = _pss_mib([process]), _pss_mib(_children(process))
                total += own + below
                self._note(name, own)
                self._note(f"{name}: processes that it started", below)
            self._note("all together", total)

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _note(self, name: str, mib: float) -> None:
        self.largest[name] = round(max(self.largest.get(name, 0.0), mib), 1)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
        return found
    except psutil.Error:
        return []


def _pss_mib(processes: list[psutil.Process]) -> float:
    found = 0.0
    for process in processes:
        try:
            found += process.memory_full_info().pss / 2**20
        except psutil.Error:  # it has just ended
            continue
    return found


def run_dump(client: Client, slices: int) -> tuple[str, str]:
    """Trigger, wait for the end; the run's id and state."""
    settings = {
        "crawl": CRAWL, "languages": ["en", "de", "sw"], "min_characters": 100, "slices": slices,
        "dedup_ranges": min(slices, 40), "missing_models": "skip",
    }  # fmt: skip
    run = client.trigger(DAG, settings)
    while run.state not in DONE_STATES:
        time.sleep(LOOK_EVERY_S)
        run = client.run(DAG, run.run_id)
    return run.run_id, run.state


def summarize(database: str, store_uri: str, run_id: str, slots: int) -> dict[str, Any]:
    """Tasks, seconds and overhead, from Airflow's own records and from the manifests."""
    rows = query(
        database,
        "SELECT state, EXTRACT(EPOCH FROM start_date), EXTRACT(EPOCH FROM end_date), try_number "
        "FROM task_instance WHERE dag_id = %s AND run_id = %s",
        (DAG, run_id),
    )
    ran = [(float(start), float(end)) for _, start, end, _ in rows if start is not None and end is not None]
    wall = max(end for _, end in ran) - min(start for start, _ in ran)
    bodies = sum(manifest.seconds for manifest in manifests(store_uri))
    inside = sum(end - start for start, end in ran)
    return {
        "tasks": len(rows),
        "states": dict(Counter(str(state) for state, *_ in rows)),
        "tasks_tried_again": sum(tries > 1 for *_, tries in rows),
        "wall_s": round(wall, 1),
        "tasks_per_minute": round(len(rows) / wall * 60, 1),
        "bodies_s": round(bodies, 1),
        "overhead_s_per_task": round((wall * slots - bodies) / len(rows), 2),
        "of_which_inside_the_task_s": round((inside - bodies) / len(rows), 2),
        "median_task_s": round(statistics.median(end - start for start, end in ran), 2),
    }


def manifests(store_uri: str) -> Iterator[Manifest]:
    store = open_store(store_uri)
    for key in store.list(""):
        if key.endswith("/manifest.json"):
            yield store.manifest(key)


def measure(folder: Path, slices: int, slots: int) -> dict[str, Any]:
    source = make_dump(folder / "crawl", slices)
    store = (folder / "store").as_uri()
    (folder / "collinfo.json").write_text(json.dumps([{"id": CRAWL, "name": CRAWL}]))
    places = {"store": store, "source": source, "crawl_list": str(folder / "collinfo.json")}
    (folder / "deployment.json").write_text(json.dumps(places))
    (folder / "airflow").mkdir()
    with (
        postgres(folder / "postgres") as database,
        airflow(folder / "airflow", folder / "deployment.json", database, slots) as (client, processes),
    ):
        print(f"Airflow is ready; {DAG} with {slices} slices in {slots} slots", file=sys.stderr)
        watch = MemoryWatch(processes)
        watch.start()
        load = [os.getloadavg()[0]]
        run_id, state = run_dump(client, slices)
        load.append(os.getloadavg()[0])
        watch.end()
        failures = client.failures(DAG, run_id) if state != "success" else []
        found = summarize(database, store, run_id, slots)
    return found | {"state": state, "failures": failures, "peak_pss_mib": watch.largest,
                    "load_average_before_and_after": [round(one, 1) for one in load]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--slots", type=int, default=4, help="tasks at a time")
    parser.add_argument("--folder", type=Path, help="work here and keep it [default: a temporary folder]")
    parser.add_argument("--json", type=Path, help="where the result goes; also printed")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then, too
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": f"{cores()} cores, {processor()}",
        "python": sys.version.split()[0], "airflow": version("apache-airflow-core"),
        "slices": chosen.slices, "slots": chosen.slots,
        "niceness": os.nice(0),
        "command": f"python -m benchmarks.scheduler --slices {chosen.slices} --slots {chosen.slots}",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="xlmr-scheduler-") as name:
        folder = (chosen.folder or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL's user must reach its folder
        found = machine | measure(folder, chosen.slices, chosen.slots)
    text = json.dumps(found, indent=1)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    sys.exit(found["state"] != "success" or set(found["states"]) - {"success", "skipped"} != set())


if __name__ == "__main__":
    main()
