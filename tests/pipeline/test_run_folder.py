"""What comes back while a training goes on, from a folder on a disk and from one in a store that is no disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.checkpoints import checkpoint_key
from pipeline.draft import Draft
from pipeline.errors import StoreUnavailable
from pipeline.imports import import_vocabulary
from pipeline.launchers.submitted_job import SubmittedJob
from pipeline.live_metrics import LiveMetrics
from pipeline.milestones import Milestones
from pipeline.run_folder import DiskRunFolder, RunFolder, StoredRunFolder, run_folder
from pipeline.stage import Inputs
from pipeline.store import ArtifactStore, open_store
from tests.pipeline.test_submitted_job import DetachedProcesses, let_go, scheduler  # noqa: F401  # a fixture
from tests.pipeline.tiny_release import TEXTS
from training.export import save_final
from training.job import Source, TrainingJob
from training.model import MaskedLanguageModel
from training.sizes import xlmr_tiny
from training.vocabulary import Vocabulary, train_vocabulary

PREFIX = "pretrain/tiny/0123456789abcdef"
RUN = f"{PREFIX}/state/job/run"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture(params=["disk", "stored"])
def folder(request: pytest.FixtureRequest, store: ArtifactStore, tmp_path: Path) -> RunFolder:
    return DiskRunFolder(tmp_path / "store" / RUN) if request.param == "disk" else StoredRunFolder(store, RUN)


@pytest.fixture
def inputs(store: ArtifactStore, tmp_path: Path) -> Inputs:
    """The vocabulary, which is `pieces` in the test's folder."""
    characters = {language: sum(map(len, texts)) for language, texts in TEXTS.items()}
    path = tmp_path / "pieces.model"
    train_vocabulary({k: (lambda v=v: v) for k, v in TEXTS.items()}, characters, path, size=90)  # type: ignore[misc]
    manifest = store.manifest(import_vocabulary(store, path, "mine"))
    return Inputs({manifest.stage: (manifest,)}, store)


def draft(store: ArtifactStore) -> Draft:
    return Draft(store, PREFIX, store.scratch(), "pretrain", "tiny")


def leave_milestone(tmp_path: Path, update: int) -> None:
    """As the run leaves it: its folder appears whole."""
    model = MaskedLanguageModel(xlmr_tiny(len(Vocabulary.load(tmp_path / "pieces.model")), max_tokens=32))
    save_final(model, model.encoder.config, tmp_path / "store" / RUN / "milestones" / f"step-{update:08d}")


def test_growing_files_are_sent_again_only_when_they_have_grown(
    store: ArtifactStore, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveMetrics(store, PREFIX, folder)
    live.publish(at_once=True)  # nothing is there yet
    store.put(f"{RUN}/metrics.jsonl", b'{"step": 10}\n')
    store.put(f"{RUN}/validation.jsonl", b'{"step": 0}\n')
    store.put(f"{RUN}/events/events.out.tfevents.17.host", b"curves")
    live.publish(at_once=True)
    sent = {key.rpartition("/")[2]: store.get(key) for key in store.list("metrics/pretrain/tiny-01234567/")}
    assert sent == {"events.out.tfevents.live": b"curves", "metrics.jsonl": b'{"step": 10}\n',
                    "validation.jsonl": b'{"step": 0}\n'}  # fmt: skip
    put: list[str] = []
    monkeypatch.setattr(type(store), "put", lambda _, key, data: put.append(key))
    (tmp_path / "store" / RUN / "metrics.jsonl").write_bytes(b'{"step": 10}\n{"step": 20}\n')
    live.publish()
    assert put == []  # a minute has not gone by
    live.publish(at_once=True)
    assert put == ["metrics/pretrain/tiny-01234567/metrics.jsonl"]


def test_a_milestone_is_published_once_told_and_removed(
    store: ArtifactStore, folder: RunFolder, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    unit = draft(store)
    unit.on_milestone = told.append
    milestones = Milestones(inputs, unit, folder)
    milestones.publish()
    leave_milestone(tmp_path, 40)
    weights = tmp_path / "store" / RUN / "milestones" / "step-00000040" / "model.safetensors"
    trained = weights.read_bytes()
    milestones.publish()
    manifest = store.manifest(checkpoint_key(store, "tiny@40"))
    assert {"config.json", "model.safetensors", "sentencepiece.bpe.model"} <= {one.name for one in manifest.artifacts}
    assert (told, folder.milestones(), weights.exists()) == (["tiny@40"], [], False)

    leave_milestone(tmp_path, 40)  # by a job that went on from an earlier checkpoint
    assert weights.read_bytes() != trained  # in this test
    monkeypatch.setattr(type(folder), "weights", None)  # they are not fetched again
    Milestones(inputs, draft(store), folder).publish()
    assert store.manifest(checkpoint_key(store, "tiny@40")) == manifest
    assert folder.milestones() == []


def test_a_milestone_whose_weights_are_still_being_sent_is_left(store: ArtifactStore) -> None:
    store.put(f"{RUN}/milestones/step-00000040/encoder.json", b"{}")
    folder = StoredRunFolder(store, RUN)
    assert folder.milestones() == []
    store.put(f"{RUN}/milestones/step-00000040/model.safetensors", b"w")
    assert folder.milestones() == [40]


def test_the_newest_line_is_read_while_the_next_is_being_written(store: ArtifactStore, folder: RunFolder) -> None:
    assert folder.last_row() == {}
    rows = b'{"step": 10}\n{"st' if isinstance(folder, DiskRunFolder) else b'{"step": 10}'
    store.put(f"{RUN}/{'metrics.jsonl' if isinstance(folder, DiskRunFolder) else 'progress.json'}", rows)
    assert folder.last_row() == {"step": 10}


def test_a_job_goes_on_while_the_store_cannot_be_looked_at(
    store: ArtifactStore,
    scheduler: DetachedProcesses,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise StoreUnavailable("no answer")
        let_go(store)

    prefix = "pretrain/xlmr-tiny/0123456789abcdef"
    unit = Draft(store, prefix, store.scratch(), "pretrain", "xlmr-tiny")
    source = Source("file:///v")
    job = SubmittedJob(unit, scheduler, lambda state: TrainingJob("one", {}, source, {}, state), look_s=0.02)
    results = job.run(look, unit.scratch("results"))
    unit.close()
    assert (json.loads((results / "summary.json").read_text()), len(scheduler.jobs)) == ({}, 1)
    assert "looked at again later: no answer" in caplog.text
    assert isinstance(job.folder, DiskRunFolder)
    assert isinstance(run_folder(store, "x"), DiskRunFolder)
