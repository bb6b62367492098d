"""The Models page's routes, without a browser: who is let in, what is shown of recorded checkpoints and scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("airflow")
from fastapi.testclient import TestClient

from benchmarks.recorded_models import FIRST_DAY, Skill, write_checkpoint, write_failure, write_manifest, write_scores
from pipeline.current import set_current
from pipeline.manifest import parse_key
from pipeline.models_reader import ModelsReader
from pipeline.models_views import overview
from pipeline.score_views import benchmark_view, scores_of
from pipeline.store import FileStore
from pipeline.verdicts import judge
from plugins.models_page import app, words
from tests.plugins.page_elements import Elements, let_in

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[2]
PAGES = ["/", "/checkpoints/base", "/benchmarks/xnli", "/compare", "/compare?a=other&b=base",
         "/run?dag_id=xlmr_evaluate&run_id=x", "/run?checkpoint=base&checkpoint=other"]  # fmt: skip
PROGRAMS = ["/api/overview", "/api/checkpoints/base", "/api/checkpoints/base/loss", "/api/benchmarks/xnli",
            "/api/compare?a=other&b=base"]  # fmt: skip
FILES = ["/static/page.css", "/static/table.js", "/static/theme.js", "/static/run.js", "/static/runs.js",
         "/static/models.svg"]  # fmt: skip
ODD = ["/nowhere", "/static/nothing", "/docs", "/openapi.json", "/api/nowhere"]
GOOD = {"en": 0.85, "sw": 0.7, "ur": 0.65}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FileStore:
    """`base`, whose second version is worse in Swahili, `base@1000`, a milestone of it, `other`, and a
    model of the hub."""
    store = FileStore(tmp_path_factory.mktemp("models") / "store")
    first = write_checkpoint(store, "base", languages=("en", "sw", "ur"))
    write_scores(store, first, Skill("xnli", GOOD, 800))
    later = FIRST_DAY + timedelta(days=7)
    second = write_checkpoint(store, "base", languages=("en", "sw", "ur"), at=later, quality=1.2)
    worse = write_scores(store, second, Skill("xnli", GOOD | {"sw": 0.5}, 800, seed=1), later)
    judge(store, "base", second, worse, significance=0.01, margin=0.0)
    other = write_checkpoint(store, "other", at=FIRST_DAY + timedelta(days=1))
    day = FIRST_DAY + timedelta(days=1)
    write_scores(store, other, Skill("xnli", GOOD, 800, seed=2), day, flags=("never predicted: <b>neutral",))
    pretrain = next(key for key in store.manifest(second).inputs if key.startswith("pretrain/"))
    config = {"update": 1000, "pretraining": parse_key(pretrain)[2]}
    vocabulary = [key for key in store.manifest(pretrain).inputs if key.startswith("train_vocabulary/")]
    milestone = write_manifest(store, "export", "base@1000", {}, config=config, inputs=vocabulary)
    set_current(store, "checkpoint", "base@1000", milestone)
    hub = {"config.json": b'{"model_type": "bert"}'}
    outside = write_manifest(store, "ingest", "checkpoint/google/mbert", hub, at=FIRST_DAY - timedelta(days=1))
    write_scores(store, outside, Skill("xnli", GOOD, 50, seed=3), FIRST_DAY - timedelta(days=1))
    write_failure(store, outside, "xnli", 9)
    write_failure(store, outside, "sst2", 1)
    return store


@pytest.fixture(scope="module")
def client(store: FileStore) -> Iterator[TestClient]:
    with TestClient(app.create_app(lambda: store.root, let_in), root_path="/models") as client:
        yield client


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS, *FILES, *ODD])
def test_nobody_without_a_login_is_answered(store: FileStore, path: str) -> None:
    reply = TestClient(app.create_app(lambda: store.root)).get(path)
    assert reply.status_code == 401
    assert b"base" not in reply.content


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_nothing_of_another_host_and_run_no_inline_script(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert "default-src 'none'; script-src 'self'" in reply.headers["content-security-policy"]
    page = Elements(reply.text)
    assert all(script["src"] for script in page.scripts)
    assert not [link for link in page.addresses if not link.startswith(("/models/", "/corpus/", "#", "?"))]


@pytest.mark.parametrize("path", FILES)
def test_the_files_of_the_page_are_there(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/checkpoints/none", "none: no checkpoint of that name"),
        ("/checkpoints/base?version=00", "no version 00 of this checkpoint: wanted one of"),
        ("/benchmarks/mlqa", "mlqa: no scores of a benchmark of that name"),
        ("/benchmarks/xnli?setting=each", "nothing was scored in the setting each: wanted transfer joint"),
        ("/compare?a=none&b=base", "none: no checkpoint of that name"),
    ],
)
def test_what_is_not_there_is_named(client: TestClient, path: str, said: str) -> None:
    page, program = client.get(path), client.get("/api" + path)
    assert (page.status_code, program.status_code) == (404, 404)
    assert said in page.text
    assert program.json()["detail"]


def test_an_empty_store_says_how_checkpoints_appear(tmp_path: Path) -> None:
    text = TestClient(app.create_app(lambda: str(tmp_path / "none"), let_in)).get("/").text
    assert "No checkpoint yet: a pretrain run exports one" in text
    assert "No scores yet" in text


def test_a_checkpoint_leads_to_what_it_was_made_from_and_to_runs(client: TestClient, store: FileStore) -> None:
    text = client.get("/checkpoints/base").text
    release = next(key for key in store.list("publish/"))
    assert f"/corpus/releases/cc100?version={parse_key(release)[2]}" in text
    assert "/corpus/dumps/CC-MAIN-2019-35" in text
    found = client.get("/api/checkpoints/base").json()
    assert [row["kind"] for row in found["lineage"]] == ["training", "vocabulary", "release", "dump"]
    assert f'data-manifest="{found["manifest"]}" data-dag="xlmr_pretrain"' in text


def test_the_loss_of_each_language_is_shown(client: TestClient) -> None:
    text = client.get("/checkpoints/base").text
    assert text.count("<polyline") == 3
    assert "Loss over updates: en, sw, ur" in text
    assert "Loss over updates: sw<" in client.get("/checkpoints/base?languages=sw,none").text
    view, whole = (client.get(f"/api/checkpoints/base{path}").json() for path in ("", "/loss"))
    assert whole["steps"] == [100 * line for line in range(1, 21)]
    assert [row["code"] for row in view["loss"]["languages"]] == ["en", "sw", "ur"]
    assert view["loss"]["languages"][1]["last"] == whole["by_language"]["sw"][-1]


def test_a_milestone_shows_the_training_as_far_as_it(client: TestClient) -> None:
    found = client.get("/api/checkpoints/base@1000").json()
    assert (found["checkpoint"]["model"], found["checkpoint"]["updates"]) == ("milestone", 1000)
    assert found["checkpoint"]["tokens"] == 1000 * 8192 * 512
    assert found["loss"]["steps"][-1] == 1000
    assert client.get("/checkpoints/base@1000").status_code == 200


def test_a_model_from_outside_has_scores_and_no_training(client: TestClient) -> None:
    found = client.get("/api/checkpoints/google/mbert").json()
    assert (found["checkpoint"]["model"], found["loss"], found["lineage"]) == ("from outside", None, [])
    assert client.get("/checkpoints/google%2Fmbert").status_code == 200
    assert client.get("/api/checkpoints/google/mbert/loss").status_code == 404


def test_scores_stand_beside_the_papers_with_their_change(client: TestClient) -> None:
    group = client.get("/api/checkpoints/base").json()["scores"][0]
    swahili = next(row for row in group["scores"] if row["language"] == "sw")
    assert (swahili["paper"], swahili["seeds"], swahili["examples"]) == (73.9, 3, 800)
    assert swahili["change"]["verdict"] == "worse"
    assert swahili["change"]["low"] < swahili["change"]["difference"] < swahili["change"]["high"] < 0
    assert len(swahili["lineage"]) == 3
    text = client.get("/checkpoints/base").text
    assert "base is worse than its last results: xnli sw" in text


def test_a_seed_that_failed_is_counted_and_told(client: TestClient) -> None:
    text = client.get("/checkpoints/google%2Fmbert").text
    assert "3 of 4" in text
    assert "the loss is not finite in epoch 2" in text
    assert "Seeds without a score" not in client.get("/checkpoints/base").text


@pytest.mark.parametrize(
    ("code", "name"),
    [("sw", "Swahili"), ("en-matched", "English"), ("zh", "Chinese"), ("eng_Latn", "English"), ("swh", "Swahili"),
     ("zho_Hant", "Chinese, Traditional"), ("kin_Latn", "Kinyarwanda"), ("quy_Latn", "quy_Latn")],
)  # fmt: skip
def test_a_test_set_has_the_name_of_its_language(code: str, name: str) -> None:
    assert words.test_set(code) == name


def test_a_benchmark_of_which_all_seeds_failed_is_told(store: FileStore, client: TestClient) -> None:
    text = client.get("/checkpoints/google%2Fmbert").text
    assert "No score: sst2 transfer: 0 of 1 seed, 1 failed" in text
    assert client.get("/api/checkpoints/base").json()["unscored"] == []


def test_ways_of_scoring_are_never_in_one_mean(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    key = write_checkpoint(store, "base", languages=("en",))
    for share, way in ((0.9, {"setting": "translate-train-all", "selection": "joint"}), (0.5, {}),
                       (0.7, {"selection": "source"})):  # fmt: skip
        write_scores(store, key, Skill("xnli", {"en": share}, 800), **way)
    reader = ModelsReader(store)
    [row] = overview(reader)["checkpoints"]
    views = [benchmark_view(reader, "xnli", *way) for way in benchmark_view(reader, "xnli").ways]
    assert [(view.setting, view.selection, round(view.means["base"], -1)) for view in views] == [
        ("transfer", "source", 70), ("transfer", "joint", 50), ("translate-train-all", "joint", 90),
    ]  # fmt: skip
    assert row.scores == {"xnli": views[0].means["base"]}
    assert overview(reader)["benchmarks"][0].best == views[0].means["base"]
    assert [len(view.history) for view in views] == [1, 1, 1]


def test_a_change_stands_beside_the_scores_of_its_selection(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    first, second = (write_checkpoint(store, "base", languages=("en",), quality=quality) for quality in (1.0, 1.1))
    write_scores(store, first, Skill("xnli", {"en": 0.8}, 800), selection="joint")
    later = write_scores(store, second, Skill("xnli", {"en": 0.6}, 800, seed=1), selection="joint")
    write_scores(store, second, Skill("xnli", {"en": 0.8}, 800, seed=2), selection="source")
    verdict = judge(store, "base", second, later, significance=0.01, margin=0.0)
    reader = ModelsReader(store)
    found = scores_of(reader, reader.checkpoint("base", parse_key(second)[2]), verdict.differences)
    assert {each.selection: [score.change is not None for score in each.scores] for each in found} == {
        "joint": [True], "source": [False]}  # fmt: skip


def test_flags_are_shown_as_text(client: TestClient) -> None:
    text = client.get("/checkpoints/other").text
    assert "never predicted: &lt;b&gt;neutral" in text
    assert "b" not in Elements(text).names


def test_a_benchmark_has_its_history_and_the_published_rows(client: TestClient) -> None:
    view = client.get("/api/benchmarks/xnli").json()
    assert list(view["tables"]) == ["base", "other", "google/mbert"]
    assert [point["checkpoint"] for point in view["history"]] == ["google/mbert", "base", "other", "base"]
    assert {"mBERT", "XLM-R"} <= {row["system"] for row in view["published"]}
    text = client.get("/benchmarks/xnli").text
    assert "dashed: the paper&#39;s XLM-R" in text or "dashed: the paper's XLM-R" in text


def test_more_checkpoints_than_test_sets_are_the_rows_of_a_benchmark(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    for name in ("first", "second"):
        write_scores(store, write_checkpoint(store, name, languages=("en",)), Skill("xnli", {"en": 0.9}, 50))
    with TestClient(app.create_app(lambda: store.root, let_in), root_path="/models") as client:
        text = client.get("/benchmarks/xnli").text
    head = text[text.index("<thead>") : text.index("</thead>")]
    assert re.findall(r">(\w+)</", head) == ["Checkpoint", "Mean", "en"]
    assert re.findall(r"checkpoints/(\w+)", text) == ["second", "first"]


def test_two_versions_of_a_checkpoint_are_compared(client: TestClient) -> None:
    versions = [row["version"] for row in client.get("/api/checkpoints/base").json()["versions"]]
    query = f"a=base&version_a={versions[1]}&b=base&version_b={versions[0]}"
    found = client.get(f"/api/compare?{query}").json()["differences"]
    assert {row["language"] for row in found if row["verdict"] == "worse"} == {"sw", "mean"}
    assert "95 % intervals" in client.get(f"/compare?{query}").text


def test_the_documented_fields_are_those_of_the_api(client: TestClient) -> None:
    text = (ROOT / "docs" / "models_page.md").read_text(encoding="utf-8")
    documented = {
        name for names in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"\w+", names)
    }
    overview, checkpoint, loss, benchmark, comparison = (client.get(path).json() for path in PROGRAMS)
    group = checkpoint["scores"][0]
    parts = [checkpoint, overview["benchmarks"][0], checkpoint["checkpoint"], checkpoint["lineage"][0],
             checkpoint["loss"], checkpoint["loss"]["languages"][0], group, group["scores"][0], checkpoint["verdict"],
             comparison["differences"][0], loss, benchmark, benchmark["history"][0], benchmark["published"][0],
             comparison]  # fmt: skip
    assert {name for part in parts for name in part} == documented


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("base", "base"),
        ("base@1000", "base%401000"),
        ("hf://google/mbert@0123abc", "google%2Fmbert"),
        ("file:///data/store/export/base/0123456789abcdef/manifest.json", "base"),
    ],
)
def test_a_run_with_one_checkpoint_leads_to_it(client: TestClient, asked: str, page: str) -> None:
    reply = client.get("/run", params={"dag_id": "xlmr_evaluate", "checkpoint": asked}, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, f"/models/checkpoints/{page}")


def test_a_run_with_several_checkpoints_lists_them_and_says_which_are_not_there(client: TestClient) -> None:
    text = client.get("/run", params={"checkpoint": ["other", "base", "later"]}).text
    assert [link for link in Elements(text).addresses if "/checkpoints/" in link] == [
        "/models/checkpoints/base", "/models/checkpoints/other",
    ]  # fmt: skip
    assert "later: not in the store yet" in text


def test_the_navigation_and_runs_have_both_pages() -> None:
    from plugins.xlmr_page import XlmrPage

    shown = [(view["name"], view["href"]) for view in XlmrPage.external_views if view["destination"] == "nav"]
    assert shown == [("Corpus", "/corpus/"), ("Models", "/models/")]
    tabs = [view["href"] for view in XlmrPage.external_views if view["destination"] == "dag_run"]
    assert tabs == [f"/{page}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}" for page in ("corpus", "models")]
    assert json.dumps([page["url_prefix"] for page in XlmrPage.fastapi_apps]) == '["/corpus", "/models"]'
