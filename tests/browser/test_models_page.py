"""The Models page and xlmr_reevaluate inside Airflow: the form, a planted regression, and who sees what."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from benchmarks.recorded_models import FIRST_DAY, Skill, make_store, write_scores
from pipeline.current import current, current_or_none, set_current
from pipeline.draft import Draft
from pipeline.result_store import read_results
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.verdicts import read_verdict
from tests.browser.conftest import Shots
from tests.browser.factory import SLOWLY_S, Factory, wait_for
from tests.browser.forms import open_form, press_trigger
from tests.browser.test_corpus_page import Opened
from tests.evaluation.conftest import tiny_model

DAG = "xlmr_reevaluate"
OURS, RECORDED = "cc100-tiny", "cc100-base-02"
PAGES = ["/models/", f"/models/checkpoints/{RECORDED}", "/models/benchmarks/xnli",
         "/models/compare?a=cc100-base-01&b=cc100-base-02"]  # fmt: skip


@pytest.fixture(scope="module")
def server(factory: Factory, tmp_path_factory: pytest.TempPathFactory) -> Factory:
    """The checkpoint of the runs before, else one with random weights; recorded ones come with `recorded`."""
    if current_or_none(factory.store, "checkpoint", OURS) is None:
        source = tiny_model(tmp_path_factory.mktemp("model"))

        def body(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
            for path in Path(source).iterdir():
                shutil.copyfile(path, draft.path(path.name))

        key = Stage("export", 1, StageConfig, body).run({}, [], factory.store, OURS)
        set_current(factory.store, "checkpoint", OURS, factory.store.key(key))
    factory.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False})
    return factory


@pytest.fixture(scope="module")
def recorded(server: Factory) -> Factory:
    make_store(server.store, 2, ["en", "sw", "ur"])
    wait_for(lambda: RECORDED in _checkpoints(server), 60.0, "the page to list the store again")
    return server


def _checkpoints(server: Factory) -> dict[str, str]:
    """Name -> what its verdict says; the page lists its store every ten seconds, so that both may come late."""
    return {row["name"]: row["verdict"] for row in server.call("GET", "/models/api/overview")["checkpoints"]}


def test_the_form_scores_the_latest_checkpoint_and_keeps_a_verdict(server: Factory, page: Page, shots: Shots) -> None:
    dialog = open_form(page, DAG)
    shots.take(page, f"form-{DAG}")
    run_id = press_trigger(page, dialog)
    server.wait_until_green(DAG, run_id, 2 * SLOWLY_S)
    verdict = read_verdict(server.store, OURS)
    assert verdict is not None
    assert not verdict.fails
    seeds = {(each.row.benchmark, each.row.seed) for each in read_results(server.store, checkpoint_name=OURS)}
    assert seeds == {(benchmark, seed) for benchmark in ("ner", "sst2") for seed in (1, 2, 3)}


@pytest.mark.parametrize("dag_id", [DAG, "xlmr_pretrain", "xlmr_evaluate"])
def test_the_tab_of_a_run_shows_the_checkpoint_that_it_made_or_scored(
    admin: BrowserContext, server: Factory, shots: Shots, dag_id: str
) -> None:
    run = next((run for run in server.runs(dag_id) if run["state"] == "success"), None)
    if run is None:
        pytest.skip(f"no run of {dag_id}: the tests of the forms did not run before")
    page = Opened(admin, server, f"/dags/{dag_id}/runs/{quote(run['dag_run_id'], safe='')}").page
    page.locator("a[href$='/plugin/models-run']").click(timeout=60_000)
    expect(page.frame_locator("iframe").locator("h1")).to_contain_text(OURS, timeout=60_000)
    shots.take(page, f"models-run-{dag_id}")


def test_a_planted_regression_fails_the_run_and_is_named(server: Factory, admin: BrowserContext, shots: Shots) -> None:
    row = read_results(server.store, checkpoint_name=OURS, benchmark="sst2")[0].row
    given = {name: getattr(row, name) for name in ("data", "config", "selection", "dev", "scored", "max_tokens")}
    perfect = Skill("sst2", {"en": 2.0}, examples=row.examples)
    write_scores(server.store, current(server.store, "checkpoint", OURS), perfect, FIRST_DAY, **given)
    conf = {"checkpoints": [OURS], "benchmarks": ["sst2"], "significance": 0.2}
    run_id = server.trigger(DAG, conf)
    wait_for(
        lambda: server.state(DAG, run_id) == "failed", SLOWLY_S, "the run to fail", lambda: server.told_of(DAG, run_id)
    )
    said = f"{OURS} is worse than its last results: sst2 en -"
    assert server.log(DAG, run_id, "compare")[-1].startswith(f"compare failed: {said}")
    wait_for(lambda: _checkpoints(server)[OURS] == "worse", 60.0, "the page to list the store again")
    page = Opened(admin, server, f"/models/checkpoints/{OURS}").page
    expect(page.get_by_text(said)).to_be_visible()
    shots.take(page, "models-regression", whole=True)


@pytest.mark.parametrize("path", [*PAGES, "/models/static/models.svg", "/models/api/overview", "/models/nowhere"])
def test_without_a_login_nothing_is_shown(recorded: Factory, path: str) -> None:
    assert recorded.ask("GET", path).status_code == 401


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_without_errors_and_other_hosts(
    viewer: BrowserContext, recorded: Factory, shots: Shots, path: str
) -> None:
    opened = Opened(viewer, recorded, path)
    opened.page.wait_for_load_state("networkidle")
    assert (opened.status, opened.said, opened.elsewhere) == (200, [], [])
    shots.take(opened.page, f"models-{PAGES.index(path)}", whole=True)


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_pages_without_scrolling_sideways(
    phone: BrowserContext, recorded: Factory, shots: Shots, path: str
) -> None:
    page = Opened(phone, recorded, path).page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    shots.take(page, f"models-{PAGES.index(path)}-phone", whole=True)


def test_the_keyboard_sorts_and_opens_a_checkpoint(viewer: BrowserContext, recorded: Factory) -> None:
    page = Opened(viewer, recorded, "/models/").page
    rows = page.locator("#checkpoints-table tbody tr")
    page.get_by_role("columnheader", name="Name").get_by_role("button").press("Enter")
    expect(rows.first).to_contain_text("cc100-base-01")
    page.get_by_role("link", name=RECORDED).press("Enter")
    expect(page.locator("h1")).to_contain_text(RECORDED)


def test_the_navigation_of_airflow_leads_to_the_page(admin: BrowserContext, recorded: Factory, shots: Shots) -> None:
    page = Opened(admin, recorded, "/").page
    page.get_by_role("link", name="Models").first.click()
    inside = page.frame_locator("iframe")
    inside.get_by_role("link", name=RECORDED).click(timeout=60_000)
    expect(inside.locator("h1")).to_contain_text(RECORDED)
    shots.take(page, "models-in-airflow")


def test_a_viewer_starts_no_evaluation(recorded: Factory) -> None:
    body = {"logical_date": None, "conf": {}}
    reply = recorded.ask("POST", f"/api/v2/dags/{DAG}/dagRuns", body, recorded.token("viewer"))
    assert reply.status_code == 403
