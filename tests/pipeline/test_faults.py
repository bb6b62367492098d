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
from pipeline.deployment import Deployment
from pipeline.errors import BadInput, StoreUnavailable
from pipeline.json_file import read_json_object
from pipeline.plan import Plan, select
from pipeline.runner import run_work
from pipeline.runs import END_TO_END, LANGUAGE_MODELS, EndToEndSettings, LanguageModelsSettings
from pipeline.stages import load
from pipeline.store import open_store

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


def plan_of(store: Path, crawl: CrawlFolder, **places: Any) -> Plan:
    deployment = Deployment.parse({"store": store.as_uri(), "source": crawl.base_uri, **places})
    small = {"languages": ["en", "de"], "min_characters": 100, "kind": "warc", "slices": 2, "dedup_ranges": 1}
    return Plan(END_TO_END, EndToEndSettings.parse(small | {"dumps": crawl.crawls}), deployment)


def extracted(plan: Plan) -> list[dict[str, Any]]:
    store = open_store(plan.deployment.store)
    works = select(plan, "extract")
    for work in works:
        run_work(work, store.root)
    manifests = [store.manifest(work.key) for work in works if work.stage == "extract"]
    return [row for m in manifests for row in pq.read_table(store.open(m.artifacts[0])).to_pylist()]


@pytest.mark.slow
def test_no_document_is_lost_or_doubled_by_a_server_that_misbehaves(
    crawl: CrawlFolder, server: BadServer, tmp_path: Path
) -> None:
    wanted = extracted(plan_of(tmp_path / "calm", crawl))
    found = extracted(plan_of(tmp_path / "rough", crawl, source=server.base))
    assert found == wanted
    assert len(found) > 100
    assert set(server.met) == set(FAULTS)


def test_models_come_from_the_web_by_name_and_what_is_not_there_is_left(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "lm").mkdir()
    for name in ("en.sp.model", "en.arpa.bin", "zh.sp.model", "zh.arpa.bin"):
        (tmp_path / "lm" / name).write_text(name)
    server.folder = tmp_path
    deployment = Deployment.parse({"store": str(tmp_path / "store"), "language_models": f"{server.base}lm"})
    plan = Plan(LANGUAGE_MODELS, LanguageModelsSettings.parse({"languages": ["en", "sw", "zh-Hant"]}), deployment)
    store = open_store(deployment.store)
    found = {}
    for work in select(plan, "train_lm"):
        run_work(work, store.root)
        found[work.stage, work.unit] = store.manifest(work.key)
    assert [a.name for a in found["ingest", "language-models/en"].artifacts] == ["en.arpa.bin", "en.sp.model"]
    assert found["ingest", "language-models/sw"].artifacts == ()
    for language, text in (("en", "en.sp.model"), ("zh-Hant", "zh.sp.model")):
        assert store.open(found["train_lm", language].artifact("sp.model")).read_text() == text
    assert found["train_lm", "sw"].artifacts == ()
    config = plan.work("ingest", "language-models/en").config.model_dump()
    with pytest.raises(BadInput, match=r"digest .* was announced"):
        load("ingest").run(config | {"sha256": "0" * 64}, (), store, "language-models/en")


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
    plan = plan_of(small_disk / "store", crawl)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        extracted(plan)
    left = [path for path in (small_disk / "store").rglob("*") if path.is_file()]
    assert not [path for path in left if path.name == "manifest.json" and "extract" in path.parts]
    ballast.unlink()
    assert len(extracted(plan)) > 100
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
    release = EndToEndSettings.parse(read_json_object(ROOT / "releases" / "cc100.json", "settings"))
    assert set(release.languages) == {code for code, known in LANGUAGES.items() if known.paper_gib is not None}
    assert (len(release.languages), len(release.dumps), release.buckets) == (100, 12, ("head", "all"))
    assert [len(release.dumps_of.get(code, release.dumps)) for code in ("en", "zh-Hans", "sw")] == [1, 1, 12]
    plan = Plan(END_TO_END, release, Deployment())
    assert max(len(plan.tasks(stage)) for stage in END_TO_END.stages) <= 4096  # AIRFLOW__CORE__MAX_MAP_LENGTH
