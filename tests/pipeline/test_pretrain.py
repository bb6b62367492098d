"""Pretraining as a task: settings checked together, what the log tells, who ends it, and two that start at once."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import BadConfig, BadInput, FactoryError, ProgramFault, StoreUnavailable, WorkerLost
from pipeline.launchers.processes import Output, failure
from pipeline.manifest import Artifact, Manifest
from pipeline.run_folder import METRICS, DiskRunFolder
from pipeline.stages.pretrain import STAGE, PretrainConfig, _note
from pipeline.store import ArtifactStore, open_store, sha256_of

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"block_tokens": 16, "batch_blocks": 8, "steps": 120, "warmup_steps": 2, "checkpoint_steps": 4, "processes": 1}
RUN = """
import json, logging, sys
from dataclasses import replace
import pipeline.lease
from pipeline.stages.pretrain import STAGE
from pipeline.store import open_store

logging.basicConfig(level=logging.INFO)
config, inputs = json.loads(sys.argv[2]), json.loads(sys.argv[3])
print(STAGE.run(config, inputs, open_store(sys.argv[1]), "xlmr-tiny"))
"""


def test_blocks_that_processes_cannot_share_are_refused_before_anything_runs() -> None:
    with pytest.raises(BadConfig, match=r"^stage pretrain: batch_blocks 33 cannot be shared equally by 2 processes: "
                                        r"choose 32 or 34, or another number of processes$"):  # fmt: skip
        STAGE.parse({"batch_blocks": 33, "processes": 2})


WORKER = "E1125 09:00:00 api.py:902] failed (exitcode: {}) local_rank: 0 (pid: 7) of binary: python"


@pytest.mark.parametrize(
    ("lines", "error", "said"),
    [
        (["training: ValueError: no blocks: wanted at least one language"], BadInput, "no blocks: wanted"),
        (["[rank0]: KeyError: 'loss'", "RuntimeError: Connection closed by peer"], ProgramFault, "KeyError: 'loss'"),
        (["RuntimeError: [gloo/pair.cc:534] Connection closed by peer"], WorkerLost, "run it again"),
        (["torch.distributed.elastic.multiprocessing.api.SignalException: Process 3 got signal: 15"], WorkerLost, "1"),
        (["  exitcode  : 75 (pid: 7)"], WorkerLost, "was asked to stop"),
        ([WORKER.format(-9)], WorkerLost, "ended with 1"),
        (["OSError: [Errno 28] No space left on device"], StoreUnavailable, "disk full"),
        (["torch.OutOfMemoryError: CUDA out of memory."], FactoryError, "not enough memory"),
    ],
)
def test_what_a_worker_said_decides_whether_to_try_again(lines: list[str], error: type[Exception], said: str) -> None:
    status = 2 if error is BadInput else 1
    found = failure(status, [*lines, "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:"])
    assert isinstance(found, error)
    assert said in str(found)


def test_the_workers_lines_go_to_the_log_within_bounds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    output = Output(io.BytesIO(b"".join(b"update %d\n" % n for n in range(100))), clock=lambda: 0.0)
    output.end()
    assert [record.getMessage() for record in caplog.records[:2]] == ["worker: update 0", "worker: update 1"]
    assert caplog.records[-1].getMessage() == "worker: 40 lines left out"
    assert output.tail[-1] == "update 99"


def test_progress_tells_loss_speed_and_time_left(tmp_path: Path) -> None:
    folder = DiskRunFolder(tmp_path)
    assert folder.last_row() == {}
    (tmp_path / METRICS).write_text('{"loss_nats": 5.25, "step": 100, "tokens_per_s": 2048.0}\n{"loss_na')
    row = folder.last_row()
    config = PretrainConfig(steps=400, batch_blocks=32, block_tokens=128)
    assert (row["step"], _note(config, row)) == (100, "loss 5.250 nats, 2,048 tokens/s, 10 min left")


def put(store: ArtifactStore, stage: str, unit: str, files: dict[str, Path], counts: dict[str, int]) -> str:
    """A manifest with these files, as the stage would have left it."""
    mark = "0123456789abcdef"
    artifacts = []
    for name, path in files.items():
        key = f"{stage}/{unit}/{mark}/a/{name}"
        artifacts.append(Artifact(name=name, key=key, size_bytes=path.stat().st_size, sha256=sha256_of(path)))
        store.upload(path, key)
    manifest = Manifest(
        stage=stage, version=1, unit=unit, fingerprint=mark, config={}, inputs=(), artifacts=tuple(artifacts),
        counts=counts, seconds=0, attempt="a", written_at="", code_version="", library_versions={},
    )  # fmt: skip
    assert store.put_if_absent(manifest.key, manifest.to_json())
    return manifest.key


def prepare(store: ArtifactStore, folder: Path) -> list[str]:
    from training.blocks import write_blocks
    from training.vocabulary import Vocabulary, train_vocabulary

    texts = [f"The {a} {b} in the {c}." for a in ("old", "red", "small", "quiet", "long", "warm")
             for b in ("house", "bird", "river", "song") for c in ("garden", "village", "morning")]  # fmt: skip
    folder.mkdir()
    model = folder / "sentencepiece.bpe.model"
    train_vocabulary({"en": lambda: texts}, {"en": sum(map(len, texts))}, model, size=100)
    blocks = folder / "blocks.npy"
    write_blocks(texts, Vocabulary.load(model), blocks, block_tokens=16)
    return [put(store, "train_vocabulary", "r", {model.name: model}, {}),
            put(store, "encode", "en", {"blocks.npy": blocks}, {"blocks": 9})]  # fmt: skip


def start(store: ArtifactStore, inputs: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", RUN, store.root, json.dumps(CONFIG), json.dumps(inputs)], cwd=ROOT,
                            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def digests(store: ArtifactStore) -> dict[str, str]:
    [key] = [key for key in store.list("pretrain/") if key.endswith("manifest.json")]
    manifest = store.manifest(key)
    assert set(store.list("pretrain/")) == {key, *(artifact.key for artifact in manifest.artifacts)}
    return {artifact.name: artifact.sha256 for artifact in manifest.artifacts}


@pytest.mark.slow
def test_pretrainings_that_start_together_or_follow_a_killed_one_give_the_bytes_of_one(tmp_path: Path) -> None:
    stores = [open_store(str(tmp_path / name)) for name in ("alone", "together", "killed")]
    inputs, *_ = [prepare(store, tmp_path / f"made-{n}") for n, store in enumerate(stores)]
    alone = start(stores[0], inputs)
    said = alone.communicate(timeout=200)
    assert alone.returncode == 0, said[1][-3000:]
    assert "starting at update 0 of 120" in said[1]
    assert "worker: update 120 of 120: loss" in said[1]

    both = [start(stores[1], inputs), start(stores[1], inputs)]
    logs = [one.communicate(timeout=300)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], logs
    assert digests(stores[1]) == digests(stores[0])

    first = start(stores[2], inputs)
    state = Path(stores[2].root.removeprefix("file://"))
    deadline = time.monotonic() + 120
    while not list(state.glob("pretrain/*/*/state/*/checkpoints/step-*/complete.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = start(stores[2], inputs)
    time.sleep(1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    log = second.communicate(timeout=300)[1]
    assert second.returncode == 0, log[-3000:]
    assert "resuming at update" in log
    assert digests(stores[2]) == digests(stores[0])
