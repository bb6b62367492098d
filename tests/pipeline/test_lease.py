"""One owner at a time of a unit's state, with real processes that are really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import HeldElsewhere, TakenOver
from pipeline.lease import Claim, Lease, LeaseTimes
from pipeline.process_identity import this_process
from pipeline.state import open_state
from pipeline.store import ArtifactStore, open_store

ROOT = Path(__file__).resolve().parents[2]
QUICK = LeaseTimes(expiry_s=0.4, look_s=0.02, tell_s=0.1, wait_s=5, settle_s=0.1)
# A stage that appends a line a tick to a file of its state: two writers would leave more than 20 lines.
STAGE = """
import sys, time, logging
from dataclasses import replace
from pipeline.draft import Draft
from pipeline.stage import Stage, StageConfig
from pipeline.store import open_store

def body(config, inputs, draft):
    draft.lease_times = replace(draft.lease_times, look_s=0.05, tell_s=0.2)
    state = draft.state(appended=("lines.txt",))
    lines = state.folder / "lines.txt"
    done = len(lines.read_text().splitlines()) if lines.exists() else 0
    for n in range(done, 20):
        with lines.open("a") as file:
            file.write(f"{n}\\n")
        time.sleep(0.05)
        state.keep()
    draft.path("lines.txt").write_text(lines.read_text())

logging.basicConfig(level=logging.INFO)
print(Stage(name="count", version=1, config=StageConfig, body=body).run({}, [], open_store(sys.argv[1]), "u"))
"""
TWENTY = "".join(f"{n}\n" for n in range(20))


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    if request.param == "file":
        yield open_store(str(tmp_path / "store"))
        return
    if "XLMR_TEST_S3" not in os.environ:
        pytest.skip("no S3 server: run `make test-services`")
    yield open_store(f"{os.environ['XLMR_TEST_S3']}/{uuid.uuid4().hex}")


def start(store: ArtifactStore) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", STAGE, store.root], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def result(store: ArtifactStore) -> str:
    [key] = [key for key in store.list("count/") if key.endswith("manifest.json")]
    [artifact] = store.manifest(key).artifacts
    left = {name for name in store.list("count/") if name not in (key, artifact.key)}
    assert left == set()
    return store.open(artifact).read_text()


def wait_for(store: ArtifactStore, part: str) -> None:
    deadline = time.monotonic() + 30
    while not any(part in key for key in store.list("count/")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_that_start_together_leave_one_result(store: ArtifactStore) -> None:
    both = [start(store), start(store)]
    said = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert result(store) == TWENTY
    assert sum("waiting for it" in log for _, log in said) == 1


def test_a_process_that_starts_while_the_other_is_killed_goes_on_at_once(store: ArtifactStore) -> None:
    first = start(store)
    wait_for(store, "lines.txt")
    second = start(store)
    time.sleep(0.3)
    first.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    first.wait()
    _, log = second.communicate(timeout=60)
    assert second.returncode == 0, log
    assert result(store) == TWENTY
    assert f"going on with what process {first.pid}" in log
    assert time.monotonic() - killed < 20  # not the expiry of 60 s


def lease(store: ArtifactStore, attempt: str, times: LeaseTimes = QUICK) -> Lease:
    return Lease(store, "s/u/f", attempt, f"s u ({attempt})", times)


def never() -> bool:
    return False


def test_a_living_owner_is_waited_for_and_named(store: ArtifactStore) -> None:
    owner, other = lease(store, "aaa"), lease(store, "bbb", replace(QUICK, wait_s=1.0))
    assert owner.take(never)
    with pytest.raises(HeldElsewhere, match=rf"held by process {os.getpid()} on .*attempt aaa"):
        other.take(never)
    owner.check()
    owner.release()
    assert lease(store, "ccc").take(never)


def test_an_owner_elsewhere_without_a_sign_of_life_is_replaced_after_the_expiry(store: ArtifactStore) -> None:
    elsewhere = replace(this_process(), machine="another machine", host="far")
    store.put("s/u/f/lease/00003.json", Claim("aaa", elsewhere, "2026-01-01T00:00:00+00:00").to_json())
    store.put("s/u/f/lease/00003.beat", b"7\n")
    began = time.monotonic()
    new = lease(store, "bbb")
    assert new.take(never)
    assert time.monotonic() - began >= QUICK.expiry_s
    assert new.generation == 4
    new.release()


def test_an_owner_that_was_only_slow_stops_and_does_not_harm_the_next(store: ArtifactStore, tmp_path: Path) -> None:
    slow = lease(store, "aaa", replace(QUICK, expiry_s=1000))  # renews every 250 s: as if it stood still
    assert slow.take(never)
    old = open_state(store, "s/u/f/state", _folder(tmp_path / "a" / "state"), slow, ("log",))
    (old.folder / "log").write_text("1\n")
    (old.folder / "whole").write_text("kept")
    old.keep()
    with (old.folder / "log").open("a") as file:
        next_ = lease(store, "bbb")
        assert next_.take(never)
        new = open_state(store, "s/u/f/state", _folder(tmp_path / "b" / "state"), next_, ("log",))
        file.write("2, by the slow one\n")
    with pytest.raises(TakenOver, match="another attempt took over generation 1"):
        slow.confirm()
    assert (new.folder / "log").read_text() == "1\n"
    assert (new.folder / "whole").read_text() == "kept"
    next_.release()


def test_who_waits_uses_the_result_of_the_other(store: ArtifactStore) -> None:
    owner, other = lease(store, "aaa"), lease(store, "bbb")
    assert owner.take(never)
    finished = threading.Event()
    threading.Timer(0.3, finished.set).start()
    assert not other.take(finished.is_set)
    owner.release()


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
