"""The Corpus page's routes, without a browser: who is let in, what is said, crawled text as text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow")
from fastapi import HTTPException
from fastapi.testclient import TestClient

from pipeline.store import FileStore
from plugins.corpus_page import app
from plugins.pages import access, deployment
from tests.pipeline.recorded import ATTACK, first, second, write_dump, write_release
from tests.plugins.page_elements import Elements, let_in

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
PATHS = [
    "/", "/dumps/CC-MAIN-2026-34", "/dumps/CC-MAIN-2026-34/languages/en", "/releases/cc100", "/run?run_id=x",
    "/releases/cc100/languages/sw", "/nowhere", "/api/overview", "/api/dumps/CC-MAIN-2026-34",
    "/api/dumps/CC-MAIN-2026-34/languages/en", "/api/nowhere", "/static/page.css", "/static/theme.js",
    "/static/table.js", "/static/run.js", "/static/corpus.svg", "/static/nothing", "/docs", "/openapi.json",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    found = FileStore(tmp_path)
    write_dump(found, "CC-MAIN-2026-30", first(), at="2026-08-01T00:00:00+00:00")
    write_dump(found, "CC-MAIN-2026-34", second(), at="2026-09-01T00:00:00+00:00")
    dumps = {"CC-MAIN-2026-30": {"steps": first()["steps"]}}
    write_release(found, "cc100", {"languages": first()["languages"], "dumps": dumps})
    return found


@pytest.fixture
def client(store: FileStore) -> Iterator[TestClient]:
    with TestClient(app.create_app(lambda: store.root, let_in), root_path="/corpus") as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_nobody_without_a_login_is_answered(store: FileStore, path: str) -> None:
    client = TestClient(app.create_app(lambda: store.root))
    for method in ("GET", "HEAD", "POST"):
        reply = client.request(method, path)
        assert reply.status_code == 401 or (method != "GET" and reply.status_code == 405)
        assert b"CC-MAIN" not in reply.content


def test_every_route_asks_who_is_reading(store: FileStore) -> None:
    asked = []
    made = app.create_app(lambda: store.root, lambda: asked.append(1))
    for path in PATHS:
        before = len(asked)
        TestClient(made).get(path)
        assert len(asked) == before + 1, path


def test_the_page_is_closed_where_airflow_has_no_such_check(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.core_api.security", None)
    client = TestClient(app.create_app(lambda: store.root))
    assert {client.get(path).status_code for path in PATHS} == {503}
    with pytest.raises(HTTPException):
        access.requires_reader()()


@pytest.mark.parametrize(
    "path", ["/", "/dumps/CC-MAIN-2026-34", "/dumps/CC-MAIN-2026-30/languages/sw", "/releases/cc100"]
)
def test_pages_ask_nothing_of_another_host_and_run_no_inline_script(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    page = Elements(reply.text)
    assert all(script["src"] for script in page.scripts)
    assert [address for address in page.addresses if not address.startswith(("/corpus/", "#"))] == []


def test_crawled_text_is_shown_as_text(client: TestClient) -> None:
    text = client.get("/dumps/CC-MAIN-2026-30/languages/sw").text
    assert ATTACK not in text
    assert "&lt;script&gt;document.title" in text
    assert "http://a.example/&lt;b&gt;" in text
    page = Elements(text)
    assert "img" not in page.names
    assert all("src" in script for script in page.scripts)
    assert "&lt;i&gt;a.example" in client.get("/dumps/CC-MAIN-2026-30/languages/en").text


def test_a_language_of_which_nothing_was_kept_is_told_so(client: TestClient) -> None:
    reply = client.get("/dumps/CC-MAIN-2026-34/languages/xh")
    assert reply.status_code == 200
    assert "No document of Xhosa was kept in CC-MAIN-2026-34" in reply.text
    assert client.get("/releases/cc100/languages/xh").status_code == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dumps/CC-MAIN-2013-20", "CC-MAIN-2013-20: no finished dump of that name"),
        ("/dumps/CC-MAIN-2026-34?version=00", "no version 00 of this dump: wanted one of"),
        ("/dumps/CC-MAIN-2026-34/languages/tlh", "tlh: no language of that code"),
        ("/nowhere", "/nowhere: no such page"),
        ("/models/x", "/models/x: no such page"),
    ],
)
def test_what_is_not_there_is_named(client: TestClient, path: str, said: str) -> None:
    page, program = client.get(path), client.get("/api" + path)
    assert (page.status_code, program.status_code) == (404, 404)
    assert said in page.text
    assert program.json()["detail"]


def test_an_empty_store_says_how_dumps_appear(tmp_path: Path) -> None:
    text = TestClient(app.create_app(lambda: str(tmp_path / "none"), let_in)).get("/").text
    assert "No finished dump yet" in text
    assert "No release yet" in text


def test_a_deployment_that_is_not_there_is_said_in_one_line() -> None:
    client = TestClient(app.create_app(lambda: deployment.store_uri({}), let_in))
    reply = client.get("/")
    assert reply.status_code == 503
    assert "XLMR_DEPLOYMENT is not set" in reply.text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "wanted a JSON file of the deployment"),
        ("[]", "wanted a JSON object"),
        ('{"root": 1}', "root: no such entry"),
    ],
)
def test_what_is_no_deployment_is_refused(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(written)
    with pytest.raises(deployment.BadConfig, match=said):
        deployment.store_uri({"XLMR_DEPLOYMENT": str(path)})


def test_the_overview_for_programs_has_sizes(client: TestClient) -> None:
    found = client.get("/api/overview").json()
    assert [row["name"] for row in found["dumps"]] == ["CC-MAIN-2026-34", "CC-MAIN-2026-30"]
    row = found["releases"][0]
    version = row.pop("version")
    assert row == {
        "kind": "release", "name": "cc100", "finished_at": "2026-08-01T00:00:00+00:00", "documents": 16, "bytes": 190,
        "languages": 2,
    }  # fmt: skip
    assert client.get(f"/api/releases/cc100?version={version}").json()["corpus"]["version"] == version


def test_the_documented_fields_are_those_of_the_api(client: TestClient) -> None:
    text = (ROOT / "docs" / "corpus_page.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    answers: list[dict[str, Any]] = [
        client.get(f"/api{path}").json() for path in ("/dumps/CC-MAIN-2026-34", "/dumps/CC-MAIN-2026-34/languages/en")
    ]
    found = {field for answer in answers for field in answer} | set(answers[0]["languages"][0])
    assert found | set(answers[0]["corpus"]) == documented


def test_a_run_shows_the_dump_that_its_id_names(client: TestClient) -> None:
    reply = client.get("/run", params={"run_id": "backfill__CC-MAIN-2026-34__x1"}, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/corpus/dumps/CC-MAIN-2026-34")
    running = client.get("/run", params={"run_id": "scheduled__CC-MAIN-2026-39__x1"}).text
    assert "CC-MAIN-2026-39: no statistics yet" in running


def test_a_run_without_a_dump_in_its_id_is_asked_of_airflow(client: TestClient) -> None:
    text = client.get("/run", params={"dag_id": "xlmr_corpus", "run_id": "manual__2026-11-25"}).text
    assert "run.js" in text
    assert 'data-run="manual__2026-11-25"' in text
    both = client.get("/run?crawl=CC-MAIN-2026-30&crawl=CC-MAIN-2026-34").text
    assert [link for link in Elements(both).addresses if "/dumps/" in link] == [
        "/corpus/dumps/CC-MAIN-2026-30",
        "/corpus/dumps/CC-MAIN-2026-34",
    ]


def test_static_files_are_kept_by_the_browser_when_named_with_their_digest(client: TestClient) -> None:
    address = next(link for link in Elements(client.get("/").text).addresses if "/page.css?v=" in link)
    assert "immutable" in client.get(address.removeprefix("/corpus")).headers["cache-control"]
    assert "no-cache" in client.get("/static/page.css").headers["cache-control"]


def test_charts_have_labels_and_a_table(client: TestClient) -> None:
    text = client.get("/dumps/CC-MAIN-2026-34/languages/en").text
    assert text.count('aria-roledescription="bar"') == 3 + 7  # perplexity: 256 to 1,024; length: 32 to 2,048
    assert "Length, characters as a table" in text
    assert "No document has this value" in text  # the identification score


def test_airflow_starts_without_what_the_page_needs(tmp_path: Path) -> None:
    code = (
        "import sys, time, airflow.plugins_manager, airflow.configuration\n"
        "before = set(sys.modules); start = time.perf_counter()\n"
        "import plugins.xlmr_page as page\n"
        "took = time.perf_counter() - start\n"
        "import json; print(json.dumps([took, sorted({n.split('.')[0] for n in set(sys.modules) - before}),"
        " page.XlmrPage.external_views[-1]['href']]))"
    )
    environment = {
        "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__API__BASE_URL": "https://data.example/airflow", "PATH": "",
    }  # fmt: skip
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    took, loaded, address = json.loads(said.stdout.splitlines()[-1])
    assert set(loaded) <= {"plugins", "__future__", "typing", "urllib", "collections", "importlib"}
    assert took < 0.05
    assert address == "/airflow/models/run?dag_id={DAG_ID}&run_id={RUN_ID}"
