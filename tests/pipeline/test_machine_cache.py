"""What many processes of a machine read is brought once and checked once, within a limit, and never while in use."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from pipeline.errors import CorruptArtifact
from pipeline.machine_cache import MachineCache
from pipeline.manifest import Artifact
from pipeline.store import FileStore, open_store

ROOT = Path(__file__).resolve().parents[2]
# Opens ten models and prints how many GETs and how many bytes that took.
READER = """
import sys
from pathlib import Path
from pipeline.machine_cache import MachineCache
from pipeline.manifest import Artifact
from pipeline.store import open_store

store = open_store(sys.argv[1], MachineCache(Path(sys.argv[2])))
gets = []
store.client.meta.events.register("before-send.s3.GetObject", lambda **_: gets.append(1))
for line in sys.stdin:
    key, sha256 = line.split()
    path = store.open_shared(Artifact(name="model", key=key, size_bytes=200_000, sha256=sha256))
    assert path.stat().st_size == 200_000
print(len(gets))
"""
# Brings one file through the cache and says so in a log; then keeps it open until its input ends.
BRINGER = """
import hashlib, sys, time
from pathlib import Path
from pipeline.machine_cache import MachineCache

def fetch(target):
    with open(sys.argv[2], "a") as log:
        log.write("fetched\\n")
    time.sleep(0.3)
    target.write_bytes(b"x" * 100)

digest = hashlib.sha256(b"x" * 100).hexdigest()
cache = MachineCache(Path(sys.argv[1]), 250)
print(cache.path(digest, 100, fetch), flush=True)
sys.stdin.read()
"""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bring(cache: MachineCache, data: bytes) -> Path | None:
    return cache.path(digest(data), len(data), lambda target: target.write_bytes(data) and None)


def held(folder: Path) -> set[bytes]:
    return {path.read_bytes()[:1] for path in (folder / "files").iterdir()}


def start(folder: Path, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BRINGER, str(folder), str(log)], cwd=ROOT, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip


def test_eight_processes_bring_a_file_once(tmp_path: Path) -> None:
    readers = [start(tmp_path / "cache", tmp_path / "log") for _ in range(8)]
    paths = {reader.communicate(timeout=60)[0].strip() for reader in readers}
    assert paths == {str(tmp_path / "cache" / "files" / digest(b"x" * 100))}
    assert (tmp_path / "log").read_text() == "fetched\n"


def test_the_least_recently_used_file_goes_and_never_one_in_use(tmp_path: Path) -> None:
    user = start(tmp_path, tmp_path / "log")
    assert user.stdout is not None
    user.stdout.readline()  # "x" is there, the oldest, and in use by that process
    for letter in (b"a", b"b", b"c"):
        assert bring(MachineCache(tmp_path, 250), letter * 100) is not None
    assert held(tmp_path) == {b"x", b"c"}
    user.communicate()
    assert bring(MachineCache(tmp_path, 250), b"d" * 100) is not None
    assert held(tmp_path) == {b"c", b"d"}


def test_what_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    assert bring(MachineCache(tmp_path, 50), b"a" * 100) is None


def test_what_a_killed_process_half_brought_goes(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / f".{digest(b'q')}.{uuid.uuid4().hex}").write_bytes(b"half")
    bring(MachineCache(tmp_path), b"a")
    assert held(tmp_path) == {b"a"}


def test_a_fetch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        target.write_bytes(b"half")
        raise CorruptArtifact("other bytes")

    with pytest.raises(CorruptArtifact):
        MachineCache(tmp_path).path(digest(b"q"), 1, fail)
    assert held(tmp_path) == set()


def test_on_a_disk_a_digest_is_checked_once_and_again_when_the_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    store = FileStore(tmp_path / "store", MachineCache(tmp_path / "cache"))
    monkeypatch.setattr(store, "check", lambda path, artifact: checked.append(artifact.key))
    store.put("s/u/f/model", b"abc")
    artifact = Artifact(name="model", key="s/u/f/model", size_bytes=3, sha256=digest(b"abc"))
    for _ in range(3):
        assert store.open_shared(artifact) == tmp_path / "store" / "s" / "u" / "f" / "model"
    assert checked == ["s/u/f/model"]
    monkeypatch.undo()
    store.put("s/u/f/model", b"abd")
    with pytest.raises(CorruptArtifact, match="SHA-256"):
        store.open_shared(artifact)


@pytest.mark.s3
def test_eight_processes_that_read_ten_models_fetch_each_once(tmp_path: Path) -> None:
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("no S3 server: run `make test-services`")
    store = open_store(f"{os.environ['XLMR_TEST_S3']}/{uuid.uuid4().hex}")
    lines = []
    for n in range(10):
        data = b"%d" % n * 200_000
        store.put(f"m/{n}", data)
        lines.append(f"m/{n} {digest(data)}\n")
    command = [sys.executable, "-c", READER, store.root, str(tmp_path / "cache")]
    readers = [subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
               for _ in range(8)]  # fmt: skip
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("".join(lines))
        reader.stdin.close()
    gets = [int(reader.stdout.read()) for reader in readers if reader.stdout is not None]
    assert [reader.wait() for reader in readers] == [0] * 8
    assert sum(gets) == 10
