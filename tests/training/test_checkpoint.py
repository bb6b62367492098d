"""Checkpoints: what is taken for whole, and what is said of what is not."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from training.checkpoint import (
    MARKER,
    STATE,
    CheckpointError,
    CheckpointWriter,
    Progress,
    newest,
    run_digest,
    save_checkpoint,
)

CPU = torch.device("cpu")


def progress(step: int) -> Progress:
    return Progress(step, "run", {"loss": 0.1 + 0.2}, {"skipped_updates": 0})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for step in (4, 8):
        save_checkpoint(tmp_path, progress(step), {"model": torch.full((5000,), float(step))}, keep=2)
    return tmp_path


def test_the_newest_is_read_as_it_was_written(folder: Path) -> None:
    found = newest(folder, "run")
    assert found is not None
    assert found.progress == progress(8)
    assert found.tensors(CPU)["model"].tolist() == [8.0] * 5000


def test_only_the_newest_are_kept(folder: Path) -> None:
    save_checkpoint(folder, progress(12), {}, keep=2)
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000008", "step-00000012"]


def test_a_damaged_newer_one_does_not_take_the_place_of_what_is_written_after_it(folder: Path) -> None:
    zero_a_page(folder / "step-00000008")
    save_checkpoint(folder, progress(6), {}, keep=1)
    assert [path.name for path in folder.iterdir()] == ["step-00000006"]


def test_a_file_where_a_checkpoint_belongs_is_replaced(folder: Path) -> None:
    (folder / "step-00000012").write_text("")
    save_checkpoint(folder, progress(12), {}, keep=1)
    assert [path.name for path in folder.iterdir()] == ["step-00000012"]


def change_the_step(path: Path) -> None:
    marker = json.loads((path / MARKER).read_text())
    (path / MARKER).write_text(json.dumps(marker | {"step": 9}))


def zero_a_page(path: Path) -> None:
    body = bytearray((path / STATE).read_bytes())
    body[8192 : 8192 + 4096] = bytes(4096)
    (path / STATE).write_bytes(body)


DAMAGES = {
    "a page of zeros": (zero_a_page, "has other bytes than were written"),
    "a missing half": (lambda path: (path / STATE).write_bytes((path / STATE).read_bytes()[:9000]), "9000 bytes"),
    "a zeroed marker": (lambda path: (path / MARKER).write_bytes(bytes(100)), "Expecting value"),
    "an empty marker": (lambda path: (path / MARKER).write_bytes(b""), "Expecting value"),
    "another number in the marker": (change_the_step, "complete.json has other bytes than were written"),
    "a marker of something else": (lambda path: (path / MARKER).write_text("[]"), "TypeError"),
    "no marker": (lambda path: (path / MARKER).unlink(), "FileNotFoundError"),
    "no state": (lambda path: (path / STATE).unlink(), "FileNotFoundError"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_named_and_an_older_one_taken(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, said = DAMAGES[damage]
    spoil(folder / "step-00000008")
    with caplog.at_level(logging.WARNING):
        found = newest(folder, "run")
    assert found is not None
    assert found.progress.step == 4
    assert "step-00000008 is not whole" in caplog.text
    assert said in caplog.text


def test_a_marker_that_lists_no_state_is_not_whole(folder: Path) -> None:
    path = folder / "step-00000008" / MARKER
    marker = json.loads(path.read_text()) | {"files": {}}
    del marker["digest"]
    path.write_text(json.dumps(marker | {"digest": run_digest(marker)}))
    found = newest(folder, "run")
    assert found is not None
    assert found.progress.step == 4


def test_one_of_another_run_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="use another output folder"):
        newest(folder, "other")


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert newest(tmp_path / "none", "run") is None


def test_what_is_written_in_a_thread_is_what_stood_when_it_was_asked_for(tmp_path: Path) -> None:
    writer = CheckpointWriter()
    weights = torch.ones(100_000)
    writer.save(tmp_path, progress(4), {"model": {"w": weights}, "groups": [{"lr": 1.0}]}, keep=2)
    weights.zero_()
    writer.wait()
    found = newest(tmp_path, "run")
    assert found is not None
    assert found.tensors(CPU)["model"]["w"].sum() == 100_000
    writer.close()


def test_what_a_thread_could_not_write_is_raised_by_the_next_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = CheckpointWriter()
    writer.save(tmp_path / "file", progress(4), {}, keep=2)
    with pytest.raises(NotADirectoryError):
        writer.wait()
    writer.close()
