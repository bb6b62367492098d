"""The store's promises, on a disk and (make test-services) on a real S3 server."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import BadConfig, CorruptArtifact, MissingArtifact, StoreRefused
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


def test_a_copy_lies_under_both_keys_and_may_be_made_again(store: ArtifactStore) -> None:
    store.put_if_absent("a/b c.bin", b"hello")
    for _ in range(2):
        store.copy("a/b c.bin", "other/place.bin")
    store.delete("a/b c.bin")
    assert store.get("other/place.bin") == b"hello"
    assert list(store.list("")) == ["other/place.bin"]
    with pytest.raises(MissingArtifact, match=r"a/b c\.bin"):
        store.copy("a/b c.bin", "third")


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


def test_a_prefix_lists_what_begins_with_it(store: ArtifactStore) -> None:
    for key in ("a/b/c", "a/bc", "a/bd/e", "ab"):
        store.put(key, b"x")
    listed = {prefix: list(store.list(prefix)) for prefix in ("", "a", "a/", "a/b", "a/b/", "a/bd/e", "b/", "a/x/")}
    assert listed == {
        "": ["a/b/c", "a/bc", "a/bd/e", "ab"], "a": ["a/b/c", "a/bc", "a/bd/e", "ab"],
        "a/": ["a/b/c", "a/bc", "a/bd/e"], "a/b": ["a/b/c", "a/bc", "a/bd/e"], "a/b/": ["a/b/c"],
        "a/bd/e": ["a/bd/e"], "b/": [], "a/x/": [],
    }  # fmt: skip


def test_a_folder_that_is_not_there_is_listed_without_a_look_at_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    store.put("many/files/1", b"x")
    looked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: looked.append(str(path)) or scandir(path))
    assert list(store.list("verdicts/")) == []
    assert list(store.list("man")) == ["many/files/1"]
    assert {Path(path).relative_to(tmp_path).as_posix() for path in looked} == {"verdicts", ".", "many", "many/files"}


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


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("file://store", "names the host 'store', not a folder: wanted three slashes, file:///store"),
        ("file://var/x", "names the host 'var', not a folder: wanted three slashes, file:///var/x"),
        ("file:store", "is relative"),
        ("file:///a?b", r"'\?' and '#' end a URI's path"),
        ("~/store", "'~' is not expanded here"),
        ("s3:/bucket/x", "is no store: wanted file:///folder"),
    ],
)
def test_a_root_that_would_write_elsewhere_is_refused(root: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        open_store(root)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", "0 bytes"), (b'{"stage": "cou', "Invalid JSON"), (b"{}", "stage Field required")],
)
def test_a_broken_manifest_is_told_with_what_to_do(store: ArtifactStore, data: bytes, found: str) -> None:
    key = "count/C/00000-of-00002/0123456789abcdef/manifest.json"
    store.put(key, data)
    with pytest.raises(CorruptArtifact, match=found) as caught:
        store.manifest(key)
    folder = store.uri(key).removesuffix("/manifest.json")
    assert f"Delete the folder {folder} and run `xlmr run count --unit C/00000-of-00002` again." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_artifact_that_is_gone_is_told_with_what_to_do(store: ArtifactStore) -> None:
    key = "count/u/0123456789abcdef/aaaaaaaaaaaa/part"
    with pytest.raises(
        MissingArtifact, match=r"though a manifest lists it\. Delete the folder .*/0123456789abcdef and"
    ):
        store.open(Artifact(name="part", key=key, size_bytes=3, sha256="0" * 64))


def test_a_file_where_the_stores_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    store = open_store(str(tmp_path / "store"))
    for write in (lambda: store.put("k", b"v"), lambda: store.put_if_absent("k", b"v"), store.scratch):
        with pytest.raises(StoreRefused, match="there is a file where a folder is needed"):
            write()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A store on a file system that was mounted read-only after something was put into it."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a file system")
    open_store(str(folder)).put("k", b"v")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_store_is_read_and_refuses_writes_for_good(read_only: Path) -> None:
    store = open_store(str(read_only))
    assert store.get("k") == b"v"
    for write in (lambda: store.put("k", b"v"), lambda: store.put_if_absent("q", b"v"), store.scratch):
        with pytest.raises(StoreRefused, match="the file system is read-only: mount it writable"):
            write()


class OtherServer(http.server.BaseHTTPRequestHandler):
    """An S3 server with other habits: `.put` and `.head` are the statuses that it answers."""

    put, head = 200, 200

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.put)

    def do_HEAD(self) -> None:
        self._answer(self.head)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("ETag", '"x"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def other_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[OtherServer]]:
    handler = type("Handler", (OtherServer,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}", "AWS_REGION": "us-east-1",
                        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield handler
    server.shutdown()
    server.server_close()


def test_a_server_that_overwrites_on_a_conditional_put_is_refused(other_server: type[OtherServer]) -> None:
    with pytest.raises(StoreRefused, match=r"^s3://b/x: this store cannot do conditional writes \(it overwrites on"):
        open_store("s3://b/x").put_if_absent("k", b"v")


def test_a_server_that_does_not_know_conditional_puts_is_refused(other_server: type[OtherServer]) -> None:
    other_server.put = 501
    with pytest.raises(StoreRefused, match=r"^s3://b/x: this store cannot do conditional writes \(it answers 501 on"):
        open_store("s3://b/x").put_if_absent("k", b"v")


def test_a_refused_look_is_not_tried_again(other_server: type[OtherServer]) -> None:
    other_server.head = 403
    with pytest.raises(StoreRefused, match=r"s3://b/x/k: the store answers 403: the credentials may not do this"):
        open_store("s3://b/x").exists("k")


@pytest.mark.s3
def test_what_a_real_server_refuses_is_told_with_what_to_do(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if isinstance(store, FileStore):
        pytest.skip("a disk has no credentials")
    with pytest.raises(StoreRefused, match="NoSuchBucket: there is no such bucket"):
        open_store("s3://no-such-bucket/x").put("k", b"v")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it has read the credentials already
    stranger = open_store(store.root)
    (tmp_path / "part").write_bytes(b"x")
    for call in (lambda: stranger.exists("k"), lambda: stranger.put("k", b"v"),
                 lambda: stranger.upload(tmp_path / "part", "k")):  # fmt: skip
        with pytest.raises(StoreRefused, match="the store answers"):
            call()
