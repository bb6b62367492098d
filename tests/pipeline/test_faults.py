"""The corpus when the world misbehaves: a server as Common Crawl's under load, a full disk, a store out of reach."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ccnet.languages import LANGUAGES
from embedded.crawls import CrawlFolder, make_small_crawls
from pipeline.cli import read_settings
from pipeline.errors import BadInput, StoreUnavailable
from pipeline.flow import plan, select
from pipeline.runner import run_work
from pipeline.settings import RunSettings, stage_config
from pipeline.stages import load
from pipeline.store import open_store
from pipeline.tools import LANGUAGE_IDENTIFIER

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("throttled", "reset", "broken off", "slow", "reply lost", "whole", "ranges ignored", "whole")


class BadServer(http.server.ThreadingHTTPServer):
    """Serves a folder; request after request meets the next of FAULTS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.met: Counter[str] = Counter()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: BadServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fault = FAULTS[self.server.met.total() % len(FAULTS)]
        self.server.met[fault] += 1
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            return self._answer(403 if "sw." in self.path else 404, b"")  # S3 says 403 where it may not list
        data = path.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if fault == "throttled":
            return self._answer(503, b"slow down")
        if fault == "reset":
            return self.connection.close()
        if fault == "ranges ignored":
            start = 0
        if start >= len(data):
            return self._answer(416, b"")
        self._answer(206 if start else 200, data[start:], fault)
        return None

    def _answer(self, status: int, body: bytes, fault: str = "whole") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if fault in ("broken off", "reply lost"):  # the second sends the end, and goes before the client has read it
            self.wfile.write(b"" if fault == "broken off" else body[half:-1])
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(0.2)
        self.wfile.write(body[half:])

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> CrawlFolder:
    return make_small_crawls(tmp_path_factory.mktemp("crawl") / "crawls")


@pytest.fixture
def server(crawl: CrawlFolder) -> Iterator[BadServer]:
    made = BadServer(Path(crawl.base_uri.removeprefix("file://")))
    yield made
    made.shutdown()
    made.server_close()


def settings(store: Path, crawl: CrawlFolder, **choices: Any) -> dict[str, Any]:
    return {"store": store.as_uri(), "source": crawl.base_uri, "crawls": crawl.crawls, "languages": ["en", "de"],
            "language_identifier": str(LANGUAGE_IDENTIFIER), "min_characters": 100, **choices}  # fmt: skip


def extracted(values: dict[str, Any]) -> list[dict[str, Any]]:
    store = open_store(values["store"])
    works = select(plan(RunSettings.parse(values)), "extract")
    for work in works:
        run_work(work, values["store"])
    manifests = [store.manifest(work.key) for work in works if work.stage == "extract"]
    return [row for m in manifests for row in pq.read_table(store.open(m.artifacts[0])).to_pylist()]


@pytest.mark.slow
def test_no_document_is_lost_or_doubled_by_a_server_that_misbehaves(
    crawl: CrawlFolder, server: BadServer, tmp_path: Path
) -> None:
    wanted = extracted(settings(tmp_path / "calm", crawl))
    found = extracted(settings(tmp_path / "rough", crawl, source=server.base))
    assert found == wanted
    assert len(found) > 100
    assert set(server.met) == set(FAULTS)


def test_models_come_from_the_web_by_name_and_what_is_not_there_is_left(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "lm").mkdir()
    for name in ("en.sp.model", "en.arpa.bin", "zh.sp.model", "zh.arpa.bin"):
        (tmp_path / "lm" / name).write_text(name)
    server.folder = tmp_path
    values = {"store": str(tmp_path / "store"), "crawls": ["CC-MAIN-2019-35"], "languages": ["en", "sw", "zh-Hant"],
              "language_identifier": "x", "language_models": f"{server.base}lm"}  # fmt: skip
    config = stage_config(RunSettings.parse(values), "ingest", "language-models")
    store = open_store(values["store"])
    manifest = store.manifest(load("ingest").run(config, (), store, "language-models"))
    assert [artifact.name for artifact in manifest.artifacts] == [
        "en.arpa.bin", "en.sp.model", "zh.arpa.bin", "zh.sp.model"]  # fmt: skip
    train_lm = load("train_lm")
    for language, text in (("en", "en.sp.model"), ("zh-Hant", "zh.sp.model")):
        made = store.manifest(train_lm.run({}, (manifest.key,), store, language))
        assert store.open(made.artifact("sp.model")).read_text() == text
    with pytest.raises(BadInput, match=r"digest .* was announced"):
        load("ingest").run(config | {"sha256": "0" * 64}, (), store, "language-models")


def test_a_file_that_the_web_does_not_have_is_named(server: BadServer, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with pytest.raises(BadInput, match=r"lid\.bin: the server answers 404"):
        load("ingest").run({"source": f"{server.base}lid.bin"}, (), store, "language-identifier")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_cleanly_and_the_run_goes_on_when_there_is_room(crawl: CrawlFolder, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(900 << 10))
    values = settings(small_disk / "store", crawl)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        extracted(values)
    left = [path for path in (small_disk / "store").rglob("*") if path.is_file()]
    assert not [path for path in left if path.name == "manifest.json" and "extract" in path.parts]
    ballast.unlink()
    assert len(extracted(values)) > 100
    shutil.rmtree(small_disk / "store")


def test_a_store_that_cannot_be_reached_is_one_line_and_something_to_try_again(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a",
                   "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}  # fmt: skip
    command = [sys.executable, "-m", "pipeline.cli", "stats", "--store", "s3://bucket/prefix"]
    said = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (75, "")
    assert said.stderr.count("\n") == 1
    assert "s3://bucket" in said.stderr
    assert "127.0.0.1:9" in said.stderr


def test_the_shipped_release_states_the_papers_languages_and_dumps() -> None:
    given = read_settings(ROOT / "releases" / "cc100.json", ("language_identifier=lid.176.bin",), "s3://bucket/x")
    release = RunSettings.parse(given)
    assert set(release.languages) == {code for code, known in LANGUAGES.items() if known.paper_gib is not None}
    assert (len(release.languages), len(release.crawls), release.buckets) == (100, 12, ("head", "all"))
    assert [len(release.dumps_of.get(code, release.crawls)) for code in ("en", "zh-Hans", "sw")] == [1, 1, 12]
    assert len(release.slice_names()) <= 1024  # what Airflow maps at most
