"""What killed attempts and finished units leave is removed; what lives, or is gone on from, stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.draft import Draft
from pipeline.lease import Lease
from pipeline.process_identity import this_process
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.store import ArtifactStore, FileStore, open_store
from pipeline.store.disk import OWNER_NAME
from pipeline.sweep import Removed, Swept, sweep, sweep_scratch

ROOT = Path(__file__).resolve().parents[2]
MARK = "0123456789abcdef"
KILLED = """
import os, sys
from pipeline.store import open_store
folder = open_store(sys.argv[1]).scratch()
(folder / "half.bin").write_bytes(bytes(1000))
os.kill(os.getpid(), 9)
"""


def write(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
    draft.path("out.txt").write_text("published")


STAGE = Stage(name="write", version=1, config=StageConfig, body=write)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    if request.param == "file":
        yield open_store(str(tmp_path / "store"))
        return
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("no S3 server: run `make test-services`")
    yield open_store(f"{os.environ['XLMR_TEST_S3']}/{uuid.uuid4().hex}")


def test_scratch_of_a_killed_process_goes_when_the_next_task_starts(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    subprocess.run([sys.executable, "-c", KILLED, store.root], cwd=ROOT, check=False)
    living = store.scratch()
    [killed] = set(store.scratch_folders()) - {living}
    STAGE.run({}, [], store, "u")
    assert list(store.scratch_folders()) == [living]
    assert not killed.exists()


def test_scratch_that_another_process_removes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path / "store")
    subprocess.run([sys.executable, "-c", KILLED, store.root], cwd=ROOT, check=False)
    [killed] = store.scratch_folders()
    looked = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if killed.exists() and path.is_relative_to(killed):
            shutil.rmtree(killed)
        return looked(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    sweep_scratch(store)
    assert not killed.exists()


def test_scratch_of_another_machine_goes_only_with_age(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    folder = store.scratch()
    (folder / OWNER_NAME).write_text(replace(this_process(), machine="another").to_json())
    assert sweep_scratch(store) == Removed()
    assert sweep_scratch(store, older_than_s=3600) == Removed()
    for path in (folder / OWNER_NAME, folder):
        os.utime(path, (time.time() - 7200,) * 2)
    assert sweep_scratch(store, older_than_s=3600).items == 1


def test_a_finished_unit_keeps_what_its_manifest_lists_and_nothing_else(store: ArtifactStore) -> None:
    prefix = store.key(STAGE.run({}, [], store, "u")).removesuffix("/manifest.json")
    kept = set(store.list(""))
    store.put(f"{prefix}/state/00001/checkpoint", b"x" * 500)
    store.put(f"{prefix}/lease/00001.json", b"{}")
    store.put(f"{prefix}/aaaaaaaaaaaa/out.txt", b"of an attempt that lost")
    swept = sweep(store, older_than_s=3600)
    assert swept == Swept()  # all of it is young
    time.sleep(1.1)  # a server's clock has whole seconds
    swept = sweep(store, older_than_s=0)
    assert (swept.states, swept.attempts) == (Removed(1, 502), Removed(1, 23))
    assert set(store.list("")) == kept


def test_an_unfinished_unit_keeps_its_state(store: ArtifactStore) -> None:
    prefix = f"write/u/{MARK}"
    state = f"{prefix}/state/00001/checkpoint"
    for key in (state, f"{prefix}/lease/00001.beat", f"{prefix}/bbbbbbbbbbbb/out.txt", "corpus/release=r/part.parquet"):
        store.put(key, b"12345")
    time.sleep(1.1)
    swept = sweep(store, older_than_s=0)
    assert str(swept).endswith("; kept 1 states of unfinished units (0.0 MiB)")
    assert (swept.attempts, swept.states, swept.size_bytes) == (Removed(1, 5), Removed(1, 5), 10)
    assert list(store.list("")) == ["corpus/release=r/part.parquet", state]


def test_a_living_attempt_is_left_alone_whatever_its_age(store: ArtifactStore) -> None:
    """One that has a lease, and one whose process is seen by its scratch folder."""
    lease = Lease(store, f"write/u/{MARK}", "aaa", "write u")
    assert lease.take(lambda: False)
    draft = Draft(store, f"write/v/{MARK}", store.scratch(), "write", "v")
    store.put(f"write/u/{MARK}/cccccccccccc/out.txt", b"sent")
    store.put(f"write/v/{MARK}/{draft.attempt}/out.txt", b"sent")
    before = set(store.list(""))
    time.sleep(1.1)
    assert sweep(store, older_than_s=0).size_bytes == 0
    assert set(store.list("")) == before
    lease.release()


def test_a_write_that_was_killed_goes_with_age(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    store.put("s/u/x.json", b"whole")
    aside = store.folder / "s" / "u" / f".x.json.{uuid.uuid4().hex}"
    aside.write_bytes(b"ha")
    assert sweep(store).aside == Removed()
    os.utime(aside, (time.time() - 100_000,) * 2)
    assert sweep(store).aside == Removed(1, 2)
    assert list(store.list("s/")) == ["s/u/x.json"]


@pytest.mark.s3
def test_an_upload_in_parts_that_was_killed_goes(store: ArtifactStore) -> None:
    if isinstance(store, FileStore):
        pytest.skip("a disk has no uploads in parts")
    client, prefix = store.client, store.prefix  # type: ignore[attr-defined]
    which = {"Bucket": store.bucket, "Key": f"{prefix}s/u/big"}  # type: ignore[attr-defined]
    upload = client.create_multipart_upload(**which)["UploadId"]
    client.upload_part(**which, UploadId=upload, PartNumber=1, Body=bytes(1000))
    time.sleep(1.1)
    assert sweep(store, older_than_s=0).aside == Removed(1, 1000)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=which["Bucket"], Prefix=prefix)


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    this = this_process()
    assert not this.has_ended()
    assert replace(this, started=this.started - 100).has_ended()
    assert not replace(this, pid=2**30, machine="another").has_ended()
    assert replace(this, pid=2**30).has_ended()
    assert type(this).from_json(json.dumps({"pid": 3})) is None
