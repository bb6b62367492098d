"""The whole run: from the small written crawl to the report, on the command line and through Airflow, with kills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.deployment import Deployment
from pipeline.manifest import Manifest
from pipeline.plan import Plan
from pipeline.runs import END_TO_END
from pipeline.store import FileStore, open_store

ROOT = Path(__file__).resolve().parents[1]
READY = (ROOT / ".tools" / "kenlm" / "bin" / "lmplz").exists() and (ROOT / ".tools" / "lid.176.ftz").exists()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not READY, reason="lmplz or lid.176 is missing: make install")]

SMALL = {
    "vocabulary_size": 600, "steps": 12, "checkpoint_steps": 4, "block_tokens": 32, "batch_blocks": 16,
    "benchmarks": ["ner", "sst2"],
}  # fmt: skip
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, with its input made and its settings written."""
    from embedded.run import Choices, prepare

    folder = tmp_path_factory.mktemp("run") / "var"
    pairs = tuple(f"{name}={json.dumps(value)}" for name, value in SMALL.items())
    prepare(Choices(var=folder, small=True, pairs=pairs), Console(stderr=True))
    return folder


def xlmr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def plan_of(var: Path) -> Plan:
    deployment = Deployment.load(var / "deployment.json")
    return Plan(END_TO_END, END_TO_END.settings.parse(deployment.defaults["end_to_end"]), deployment)


def run(var: Path, store: str) -> str:
    said = xlmr("end-to-end", "--deployment", str(var / "deployment.json"), "--store", str(var / store))
    assert said.returncode == 0, said.stderr[-3000:]
    return said.stdout.strip()


@pytest.fixture(scope="module")
def report_uri(var: Path) -> str:
    return run(var, "whole")


def manifests(folder: Path) -> dict[str, Manifest]:
    store = FileStore(folder)
    return {key: store.manifest(key) for key in store.list("") if key.endswith("/manifest.json")}


def test_every_unit_of_the_plan_leaves_its_manifest_and_its_counts_add_up(var: Path, report_uri: str) -> None:
    found = manifests(var / "whole")
    assert set(found) == {work.key for work in plan_of(var).works()}
    for manifest in found.values():
        if "documents_in" in manifest.counts:
            dropped = sum(n for name, n in manifest.counts.items() if name.startswith("dropped_"))
            assert manifest.counts["documents_in"] == manifest.counts["documents_kept"] + dropped


def test_documents_are_handed_on_without_loss(var: Path, report_uri: str) -> None:
    sums: dict[tuple[str, str], int] = {}
    for manifest in manifests(var / "whole").values():
        for name in ("documents_in", "documents_kept"):
            sums[manifest.stage, name] = sums.get((manifest.stage, name), 0) + manifest.counts.get(name, 0)
    stages = ("extract", "deduplicate", "identify", "filter_perplexity", "filter_documents", "regroup", "publish")
    for before, after in pairwise(stages):
        assert sums[before, "documents_kept"] == sums[after, "documents_in"] > 0


def test_the_report_says_what_a_reader_asks(var: Path, report_uri: str) -> None:
    manifest = FileStore(var / "whole").manifest(report_uri)
    report = json.loads(FileStore(var / "whole").open(manifest.artifact("report.json")).read_text())
    assert {"de", "en", "es", "fr", "ru", "sw"} == set(report["corpus"])
    assert all(row["documents"] > 0 for row in report["corpus"].values())
    assert report["dropped"]["extract"]["not_html"] == 1
    assert report["dropped"]["deduplicate"]["only_duplicate_paragraphs"] > 0
    assert report["pretraining"]["last_loss_nats"] < report["pretraining"]["first_loss_nats"]
    assert {(row["benchmark"], row["language"]) for row in report["benchmarks"]} == {
        ("ner", "de"), ("ner", "en"), ("ner", "es"), ("ner", "nl"), ("sst2", "en")}  # fmt: skip
    assert "times fewer than the paper's; 2 benchmarks (" in report["scale"]


def test_a_second_run_does_nothing(var: Path, report_uri: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in (var / "whole").rglob("*") if path.is_file()}
    assert run(var, "whole") == report_uri
    assert {path: path.stat().st_mtime_ns for path in (var / "whole").rglob("*") if path.is_file()} == before


def test_a_score_is_traced_back_to_its_crawl_files(var: Path, report_uri: str) -> None:
    [score] = xlmr("list", "evaluate/sst2", "--store", str(var / "whole")).stdout.split()
    said = xlmr("trace", score, "--json")
    files = json.loads(said.stdout)["crawl_files"]
    assert len(files) == 8
    assert all(name.startswith("crawl-data/CC-MAIN-2026-3") and name.endswith(".warc.gz") for name in files)


def test_statistics_are_those_of_the_release(var: Path, report_uri: str) -> None:
    where = ("--deployment", str(var / "deployment.json"), "--store", str(var / "whole"))
    statistics = json.loads(xlmr("stats", "--json", *where).stdout)
    kept = sum(row["documents"] for lang in statistics["languages"].values() for row in lang["buckets"].values())
    publish = next(m for m in manifests(var / "whole").values() if m.stage == "publish")
    assert kept == publish.counts["documents_kept"]
    assert xlmr("stats", "--csv", *where).stdout.startswith("language,bucket,crawl,documents,")


def test_the_release_is_a_hive_dataset(var: Path, report_uri: str) -> None:
    import pyarrow.dataset as ds

    [folder] = (var / "whole" / "corpus").iterdir()
    table = ds.dataset(folder, partitioning="hive").to_table(columns=["lang", "bucket", "text", "crawl"])
    assert set(table.column("lang").to_pylist()) == {"de", "en", "es", "fr", "ru", "sw"}
    assert set(table.column("crawl").to_pylist()) == {"CC-MAIN-2026-30", "CC-MAIN-2026-34"}


def test_asking_for_nothing_that_exists_is_one_line(var: Path) -> None:
    where = ("--deployment", str(var / "deployment.json"))
    for arguments, said in (
        (("end-to-end", *where, "--until", "nonsense"), "'nonsense' is not a stage of the end_to_end run"),
        (("end-to-end", *where, "--set", "languages=xx"), "'xx' is no language of CC-100"),
        (("end-to-end", *where, "--set", "steps=0"), "steps"),
        (("end-to-end", *where, "--set", "crawls=CC-MAIN-2026-30"), "`dumps` names the dumps of a release"),
        (("end-to-end", *where, "--set", "store=s3://other"), "it belongs to the deployment file"),
        (("corpus", *where, "--set", "alpha=0.5"), "not a setting of this run, but of vocabulary"),
        (("show", str(var / "nothing"), "--store", str(var / "whole")), "not in the store"),
    ):
        answer = xlmr(*arguments)
        assert answer.returncode == 2
        assert said in answer.stderr
        assert len(answer.stderr.strip().splitlines()) == 1


def artifacts(folder: Path) -> dict[tuple[str, str], str]:
    """(manifest's key, name) -> digest of all artifacts of a store."""
    return {(key, a.name): a.sha256 for key, m in manifests(folder).items() for a in m.artifacts}


def at_work(store: Path) -> bool:
    scratch = store / ".scratch"
    return scratch.exists() and any(scratch.iterdir())


# What shows that a stage is in the middle of its work.
DURING: dict[str, Callable[[Path], bool]] = {
    "train_lm": lambda store: any((store / "train_lm").rglob("manifest.json")) and at_work(store),
    "pretrain": lambda store: any((store / "pretrain").rglob("step-*")),
    "evaluate": lambda store: any((store / "export").rglob("manifest.json")) and at_work(store),
}


def wait_for(condition: Callable[[], bool], job: subprocess.Popen[bytes], stage: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert job.poll() is None, f"the run ended before it could be killed in {stage}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.airflow
def test_a_dag_killed_at_three_stages_ends_with_the_same_bytes(var: Path, report_uri: str) -> None:
    """kill -9 of the DAG's run, its tasks and all of Airflow, in train_lm, pretrain and evaluate; then the same bytes
    as the command line made without a kill."""
    store = var / "killed"
    pairs = [word for name, value in SMALL.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    command = [sys.executable, "-m", "embedded", "run", "--small", "--var", str(var), "--store", store.as_uri(), *pairs]
    for stage, is_running in DURING.items():
        job = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda seen=is_running: seen(store), job, stage)  # type: ignore[misc]
        kill_all(job, var / "airflow")
    assert not any((store / "report").rglob("manifest.json"))
    last = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stdout[-2000:] + last.stderr[-2000:]
    assert artifacts(store) == artifacts(var / "whole")
    shown = json.loads((var / "report" / "report.json").read_text())
    assert shown["stages"]["fetch"]["skipped"]
    assert not shown["stages"]["report"]["skipped"]
    assert shown["pretraining"]["tokens_per_s"] > 0


def kill_all(job: subprocess.Popen[bytes], home: Path) -> None:
    """kill -9 of the program, of Airflow's processes, and of all tasks below them."""
    import psutil

    from embedded.airflow.processes import members

    family = [psutil.Process(job.pid), *members(home)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    job.wait()
    psutil.wait_procs(family, timeout=10)


@pytest.mark.s3
def test_a_run_on_s3_has_the_bytes_of_the_run_on_disk(var: Path, report_uri: str) -> None:
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("no S3 server: run `make test-services`")
    root = f"{os.environ['XLMR_TEST_S3']}/run-{time.time_ns()}"
    for _ in range(2):  # the second finds everything there
        said = xlmr("end-to-end", "--deployment", str(var / "deployment.json"), "--store", root)
        assert said.returncode == 0, said.stderr[-3000:]
    store = open_store(root)
    keys = [key for key in store.list("") if key.endswith("/manifest.json")]
    found = {(key, a.name): a.sha256 for key in keys for a in store.manifest(key).artifacts}
    assert found == artifacts(var / "whole")
