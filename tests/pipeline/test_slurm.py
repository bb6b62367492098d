"""Pretraining as a job of a real two-node Slurm cluster: the task dies, is stopped, and is tried again.

XLMR_TEST_SLURM=1 python -m pytest -m slurm tests         (root; Debian's slurm-wlm and munge; three minutes)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.slurm_cluster import SlurmCluster, can_start, cluster
from pipeline.errors import BadConfig
from pipeline.launchers.scheduler import Phase
from pipeline.launchers.settings import ROOT, Slurm
from pipeline.launchers.slurm import SlurmScheduler
from pipeline.store import ArtifactStore, open_store
from tests.pipeline.test_pretrain import CONFIG, digests, prepare

RUN = """
import json, logging, sys
from pipeline.launchers.settings import Processes, Slurm
from pipeline.stages.pretrain import STAGE
from pipeline.store import open_store

logging.basicConfig(level=logging.INFO)
config, inputs, launcher = (json.loads(text) for text in sys.argv[2:])
launcher = Slurm(**launcher) if launcher else Processes()
print(STAGE.run(config, inputs, open_store(sys.argv[1]), "xlmr-tiny", launcher))
"""
needs_slurm = pytest.mark.skipif(
    not os.environ.get("XLMR_TEST_SLURM") or not can_start(), reason="needs XLMR_TEST_SLURM=1, root, slurm-wlm, munge"
)


@pytest.fixture
def slurm() -> Iterator[SlurmCluster]:
    with tempfile.TemporaryDirectory(prefix="xlmr-slurm-") as folder, cluster(Path(folder)) as made:
        yield made


def start(slurm: SlurmCluster, store: ArtifactStore, inputs: list[str], work: Path | None) -> subprocess.Popen[str]:
    """The stage as a task runs it; without `work` as processes of this machine."""
    launcher = {"kind": "slurm", "nodes": 2, "python": sys.executable, "launch_options": "--local-addr 127.0.0.1",
                "options": ["--cpus-per-task=1", f"--output={work}/slurm.log"], "work": str(work)}  # fmt: skip
    environment = slurm.environment | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    arguments = [store.root, *map(json.dumps, (CONFIG | {"processes": 2}, inputs, launcher if work else None))]
    return subprocess.Popen([sys.executable, "-c", RUN, *arguments], cwd=ROOT, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def wait_for_checkpoint(store: ArtifactStore, than: int = 0) -> int:
    """The update of a checkpoint newer than that."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        markers = [key for key in store.list("pretrain/") if key.endswith("complete.json")]
        newest = max([0, *(int(key.split("step-")[1][:8]) for key in markers)])
        if newest > than:
            return newest
        time.sleep(0.2)
    raise AssertionError("no checkpoint came")


@pytest.mark.slurm
@pytest.mark.slow
@needs_slurm
def test_a_job_outlives_its_task_is_cancelled_with_it_and_goes_on(slurm: SlurmCluster, tmp_path: Path) -> None:
    alone, store = (open_store(str(tmp_path / name)) for name in ("alone", "slurm"))
    inputs, _ = (prepare(one, tmp_path / f"made-{n}") for n, one in enumerate((alone, store)))
    whole = start(slurm, alone, inputs, None)
    said = whole.communicate(timeout=300)[1]
    assert whole.returncode == 0, said[-3000:]

    first = start(slurm, store, inputs, tmp_path)
    reached = wait_for_checkpoint(store)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert slurm.state("1") == "RUNNING"  # training is not in the task's process

    second = start(slurm, store, inputs, tmp_path)
    wait_for_checkpoint(store, reached)
    time.sleep(6)  # it has connected by then
    second.send_signal(signal.SIGTERM)
    said = second.communicate(timeout=100)[1]
    assert "following job 1 of an earlier attempt" in said
    assert "the task was asked to stop; its job was cancelled, its checkpoints are kept" in said
    deadline = time.monotonic() + 60
    while slurm.state("1") != "CANCELLED":
        assert time.monotonic() < deadline, slurm.fields("1")
        time.sleep(0.5)

    third = start(slurm, store, inputs, tmp_path)
    said = third.communicate(timeout=400)[1]
    assert third.returncode == 0, said[-3000:]
    assert "submitted job 2" in said
    assert (tmp_path / "slurm.log").read_text().count("going on from update") == 1
    assert slurm.state("1") == "CANCELLED"  # and was not put back in the queue
    assert digests(store) == digests(alone)


@pytest.mark.slurm
@pytest.mark.slow
@needs_slurm
def test_what_the_scheduler_says_is_understood(slurm: SlurmCluster, tmp_path: Path) -> None:
    os.environ["SLURM_CONF"] = slurm.environment["SLURM_CONF"]
    try:
        scheduler = SlurmScheduler(Slurm(kind="slurm"))
        assert scheduler.status("4711").phase is Phase.GONE
        scheduler.cancel("4711")
        assert scheduler.find("xlmr-none") is None
        with pytest.raises(BadConfig, match=r"sbatch: .*invalid partition specified: gpu.*look at `launcher`"):
            SlurmScheduler(Slurm(kind="slurm", options=("--partition=gpu",))).submit(job(), "file:///none")
    finally:
        del os.environ["SLURM_CONF"]


def job():  # type: ignore[no-untyped-def]
    from training.job import Source, TrainingJob

    return TrainingJob("try", {}, Source("file:///v"), {}, "file:///s")
