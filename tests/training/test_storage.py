"""S3 as training uses it, on a real server (make test-services); and what is said where boto3 is missing."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.storage import S3Folder, StorageRefused, StorageUnavailable, fetch, open_folder, read_bytes, sha256


@pytest.fixture
def folder() -> Iterator[S3Folder]:
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("needs a real S3 server: make test-services")
    made = S3Folder(f"{os.environ['XLMR_TEST_S3']}/{uuid.uuid4().hex}")
    yield made
    for name in made.names(""):
        made.delete(name)


@pytest.mark.s3
def test_files_come_back_as_they_were_sent(folder: S3Folder, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(os.urandom(9 << 20))  # above the size of one part
    folder.upload(path, "checkpoints/a/state.pt")
    folder.put(b"{}", "checkpoints/a/complete.json")
    assert folder.names("checkpoints/") == ["checkpoints/a/complete.json", "checkpoints/a/state.pt"]
    uri = f"{folder.uri}/checkpoints/a"
    assert fetch(f"{uri}/state.pt", sha256(path), tmp_path / "inputs").read_bytes() == path.read_bytes()
    assert read_bytes(f"{uri}/complete.json", tmp_path / "aside") == b"{}"
    folder.delete("checkpoints/a/complete.json")
    with pytest.raises(FileNotFoundError, match=r"complete\.json: not there"):
        folder.download("checkpoints/a/complete.json", tmp_path / "aside")
    with pytest.raises(ValueError, match="the job says 0000"):
        fetch(f"{uri}/state.pt", "0000", tmp_path / "inputs")
    assert not list((tmp_path / "inputs" / "0000").iterdir())


@pytest.mark.s3
def test_what_s3_refuses_is_not_tried_again_and_what_is_away_is(
    folder: S3Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageRefused, match="refused"):
        open_folder("s3://xlmr-no-such-bucket/run").put(b"", "name")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("training.storage.ATTEMPTS", 1)
    with pytest.raises(StorageUnavailable, match="Could not connect"):
        open_folder(folder.uri).put(b"", "name")


def test_s3_without_boto3_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StorageRefused, match="s3:// needs boto3: install it, or use a file:// folder"):
        open_folder("s3://bucket/run")
