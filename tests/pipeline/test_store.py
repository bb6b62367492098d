"""The store's promises, on a disk and (make test-services) on a real S3 server."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import BadConfig, CorruptArtifact, MissingArtifact
from pipeline.manifest import Artifact
from pipeline.store import ArtifactStore, FileStore, open_store, sha256_of


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    if request.param == "file":
        yield open_store(str(tmp_path / "store"))
        return
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("no S3 server: run `make test-services`")
    yield open_store(f"{os.environ['XLMR_TEST_S3']}/{uuid.uuid4().hex}")


def test_what_was_put_is_read_back(store: ArtifactStore) -> None:
    assert store.put_if_absent("a/b.json", b"hello")
    assert store.get("a/b.json") == b"hello"
    assert store.exists("a/b.json")
    assert not store.exists("a/c.json")


def test_a_key_that_is_not_there_is_named(store: ArtifactStore) -> None:
    with pytest.raises(MissingArtifact, match=r"nothing/here.*not in the store"):
        store.get("nothing/here")


def test_a_second_writer_does_not_overwrite(store: ArtifactStore) -> None:
    assert store.put_if_absent("k", b"first")
    assert not store.put_if_absent("k", b"second")
    assert store.get("k") == b"first"


def test_a_writer_whose_own_bytes_stand_has_won(store: ArtifactStore) -> None:
    """A retried put meets its own first try, whose reply was lost."""
    assert store.put_if_absent("k", b"mine")
    assert store.put_if_absent("k", b"mine")


def test_of_eight_writers_at_once_one_stands_whole(store: ArtifactStore) -> None:
    """On disk, Ceph and AWS exactly one wins.  Swift 2.38 lets several win at the very same moment (measured): then
    the last stands, whole, which is enough for manifests, since all attempts made the same bytes."""
    won: list[int] = []

    def write(n: int) -> None:
        if store.put_if_absent("race", str(n).encode()):
            won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if isinstance(store, FileStore):
        assert len(won) == 1
    assert int(store.get("race")) in won
    assert not store.put_if_absent("race", b"too late")


def test_an_uploaded_file_is_listed_and_opened(store: ArtifactStore, tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"x" * 100_000)
    artifact = Artifact(name="part", key="s/u/f/part", size_bytes=100_000, sha256=sha256_of(path))
    store.upload(path, artifact.key)
    assert list(store.list("s/")) == ["s/u/f/part"]
    assert store.open(artifact).read_bytes() == b"x" * 100_000


@pytest.mark.parametrize(("size", "what"), [(4, "bytes, its manifest says"), (3, "SHA-256")])
def test_a_corrupt_artifact_is_refused(store: ArtifactStore, size: int, what: str) -> None:
    store.put("s/u/f/part", b"abc")
    with pytest.raises(CorruptArtifact, match=what):
        store.open(Artifact(name="part", key="s/u/f/part", size_bytes=size, sha256="0" * 64))


def test_deleting_what_is_gone_does_nothing(store: ArtifactStore) -> None:
    store.put("k", b"v")
    store.delete("k")
    store.delete("k")
    assert not store.exists("k")


def test_a_uri_of_another_store_is_refused(store: ArtifactStore) -> None:
    assert store.key(store.uri("a/b")) == "a/b"
    with pytest.raises(BadConfig, match="is not under the store"):
        store.key("s3://elsewhere/a/b")


@pytest.mark.parametrize("root", ["", "ftp://host/x", "s3://"])
def test_a_root_that_is_no_store_is_refused(root: str) -> None:
    with pytest.raises(BadConfig, match="wanted"):
        open_store(root)


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="leaves the store"):
        open_store(str(tmp_path)).get("../etc/passwd")
