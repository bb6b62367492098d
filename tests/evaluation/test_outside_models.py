"""Models from outside: folders and ids of the hub, into the store and through the stage, and the report on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.build_on import named_manifests
from pipeline.checkpoint_source import absolute, check_manifest, is_outside, name_of
from pipeline.cli import xlmr as commands
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, MissingArtifact
from pipeline.hub import repository_of
from pipeline.plan import Plan
from pipeline.result_store import read_results
from pipeline.runs import EVALUATE, EvaluateSettings
from pipeline.stages import load
from pipeline.store import FileStore
from tests.evaluation.test_encoders import ARCHITECTURES
from tests.evaluation.test_result_store import sst2

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("cc100-base", "cc100-base"),
        ("hf://FacebookAI/xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
        (f"hf://google/mt@{COMMIT}", "google/mt"),
        ("file:///data/models/mine/", "mine"),
        ("s3://bucket/models/mine", "mine"),
        ("s3://bucket/store/export/cc100-base/0123456789abcdef/manifest.json", "cc100-base"),
        ("ingest/checkpoint/google/mt/0123456789abcdef/manifest.json", "google/mt"),
    ],
)
def test_a_checkpoint_has_a_name_however_it_is_given(checkpoint: str, name: str) -> None:
    assert name_of(checkpoint) == name
    assert is_outside(checkpoint) == ("manifest" not in checkpoint and checkpoint != "cc100-base")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="wanted hf://OWNER/NAME"):
        repository_of("hf://a/b/c")
    with pytest.raises(BadConfig, match=r"no config\.json"):
        absolute(str(tmp_path / "missing"))
    with pytest.raises(BadConfig, match="a manifest of pretrain"):
        check_manifest("pretrain/tiny/0123456789abcdef/manifest.json")


class Hub(BaseHTTPRequestHandler):
    """What the client asks of the hub for one model, from a folder."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/models/lab/tiny-bert/tree/"):
            tree = [{"type": "file", "path": path.name, "size": path.stat().st_size, "oid": COMMIT}
                    for path in sorted(self.folder.iterdir())]  # fmt: skip
            self._answer(json.dumps(tree).encode(), "application/json")
        elif path.startswith("/api/models/lab/tiny-bert"):
            names = [{"rfilename": path.name} for path in sorted(self.folder.iterdir())]
            found = {"id": "lab/tiny-bert", "sha": COMMIT, "siblings": names, "private": False, "tags": []}
            self._answer(json.dumps(found).encode(), "application/json")
        elif path.startswith(f"/lab/tiny-bert/resolve/{COMMIT}/"):
            self._answer((self.folder / path.rpartition("/")[2]).read_bytes(), "application/octet-stream")
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Repo-Commit", COMMIT),
                            ("ETag", f'"{hash(body)}"')):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("bert") / "tiny-bert"
    folder.mkdir()
    name, tokenizer, sizes = ARCHITECTURES["bert"]
    made = tokenizer(folder)
    made.save_pretrained(folder)
    torch.manual_seed(1)
    config = getattr(transformers, name)(vocab_size=len(made), **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    (folder / "modeling_mine.py").write_text("raise SystemExit('code of a model is not run')\n")
    return folder


@pytest.fixture(scope="module")
def hub(bert: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, bert))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def xlmr(*arguments: str, endpoint: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_ENDPOINT": endpoint}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_model_of_the_hub_is_evaluated_and_reported(hub: str, data: Path, tmp_path: Path) -> None:
    where = ("--store", str(tmp_path / "store"))
    command = ("evaluate", "--checkpoint", "hf://lab/tiny-bert", "--benchmark", "sst2", "--seeds", "1",
               "--workers", "1", "--data", str(sst2(data, tmp_path / "data")), *where)  # fmt: skip
    said = xlmr(*command, endpoint=hub)
    assert said.returncode == 0, said.stderr[-3000:]
    store = FileStore(tmp_path / "store")
    [result] = read_results(store)
    assert (result.origin.checkpoint_name, result.origin.model_family) == ("lab/tiny-bert", "bert")
    assert result.origin.trained_tokens is None
    copied = store.manifest(result.origin.checkpoint_key)
    assert copied.config["source"] == f"hf://lab/tiny-bert@{COMMIT}"
    names = {artifact.name for artifact in copied.artifacts}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith(".py") or "/" in name]
    told = xlmr("report", *where, "--format", "md")
    assert told.stdout.startswith("1 model: lab/tiny-bert; 1 benchmark (sst2)")
    row = rf"\*\*lab/tiny-bert \(1 seed[^)]*\)\*\* \|  \| – \| – \| – \| \[{result.row.value:.1f}\]\(#"
    assert re.search(row, told.stdout)


def test_another_folder_of_the_same_name_is_told(bert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FileStore(tmp_path / "store")
    first, second = (shutil.copytree(bert, tmp_path / name / "best").as_uri() for name in ("a", "b"))
    load("ingest").run({"source": first}, [], store, "checkpoint/best")
    caplog.clear()
    for checkpoint in (first, second):
        named_manifests(EVALUATE, EvaluateSettings(checkpoint=checkpoint), Deployment(store=store.root), store)
    [said] = caplog.messages
    assert said.startswith(f"best: the store has scores of {first} under this name too")
    caplog.clear()
    apart = EvaluateSettings(checkpoint=second, model_name="b-best")
    named_manifests(EVALUATE, apart, Deployment(store=store.root), store)
    assert caplog.messages == []
    assert Plan(EVALUATE, apart, Deployment(store=store.root)).units("report") == ("b-best",)
    assert "checkpoint/b-best" in Plan(EVALUATE, apart, Deployment(store=store.root)).units("ingest")
    with pytest.raises(BadConfig, match="model_name mine: cc100-tiny has its name in the store already"):
        EvaluateSettings.parse({"model_name": "mine"})


def test_without_the_hub_it_says_so_in_one_line(tmp_path: Path) -> None:
    said = xlmr("evaluate", "--checkpoint", "hf://lab/tiny-bert", "--store", str(tmp_path))
    assert said.returncode == 75
    assert said.stderr.startswith("xlmr: hf://lab/tiny-bert: the hub cannot be reached")
    assert len(said.stderr.splitlines()) == 1


def test_a_name_that_is_also_a_folder_says_how_the_folder_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    asked = [
        "evaluate",
        "--checkpoint",
        "mine",
        "--benchmark",
        "ner",
        "--data",
        str(data),
        "--store",
        f"{tmp_path}/store",
    ]
    with pytest.raises(MissingArtifact, match=r"no checkpoint 'mine' .*; the folder of that name is \./mine"):
        CliRunner().invoke(commands, asked, catch_exceptions=False)


def test_a_model_that_needs_its_own_code_is_refused(bert: Path, tmp_path: Path) -> None:
    from evaluation.encoders import load
    from evaluation.records import DataError

    folder = shutil.copytree(bert, tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModel": "modeling_mine.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="'mine' needs the model's own code, which is not run"):
        load(folder)
