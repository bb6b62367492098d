"""The Corpus page inside Airflow: admin, viewer, no login, keyboard, phone, the tab of a run."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.recorded_statistics import make_store
from tests.browser.conftest import Shots
from tests.browser.factory import DUMPS, Factory
from tests.pipeline.recorded import first, second, write_dump

LARGE = "CC-MAIN-2019-35"  # all languages
ODD, LATER = "CC-MAIN-2025-30", "CC-MAIN-2025-34"  # the recorded ones, under names that the crawl does not have
PAGES = ["/corpus/", f"/corpus/dumps/{LARGE}", f"/corpus/dumps/{LARGE}/languages/sw", "/corpus/releases/cc100"]
TAB = "a[href$='/plugin/corpus-run']"  # of a run; its name alone is also the beginning of other links


@pytest.fixture(scope="module")
def server(factory: Factory) -> Factory:
    """The store of the runs, and recorded statistics beside theirs."""
    make_store(factory.store, ["CC-MAIN-2019-30", LARGE], release="")
    write_dump(factory.store, ODD, _renamed(first(), DUMPS[0], ODD))
    write_dump(factory.store, LATER, _renamed(second(), DUMPS[1], LATER))
    return factory


def _renamed(statistics: dict[str, Any], crawl: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(statistics).replace(crawl, name))
    return found


class Opened:
    """A page, what its console said, and the requests that left for another host."""

    def __init__(self, context: BrowserContext, server: Factory, path: str) -> None:
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(server.url) else self.elsewhere.append(asked.url)
        )
        reply = self.page.goto(path)
        assert reply is not None
        self.status = reply.status


@pytest.mark.parametrize("path", [*PAGES, "/corpus/static/page.css", "/corpus/api/overview", "/corpus/nowhere"])
def test_without_a_login_nothing_is_shown(browser: Browser, server: Factory, path: str) -> None:
    context = browser.new_context(base_url=server.url)
    assert Opened(context, server, path).status == 401
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_every_page_without_a_fault_or_a_request_elsewhere(
    viewer: BrowserContext, server: Factory, shots: Shots, path: str
) -> None:
    opened = Opened(viewer, server, path)
    assert (opened.status, opened.said, opened.elsewhere) == (200, [], [])
    expect(opened.page.locator("h1")).to_be_visible()
    shots.take(opened.page, f"corpus-{PAGES.index(path)}-wide", whole=True)


def test_languages_are_found_and_sorted_by_keyboard(viewer: BrowserContext, server: Factory) -> None:
    page = Opened(viewer, server, f"/corpus/dumps/{LARGE}").page
    rows = page.locator("#languages-table tbody tr:visible")
    page.get_by_role("columnheader", name="Language").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(rows.first).to_contain_text("Afrikaans")
    expect(page.get_by_role("columnheader", name="Language")).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")
    expect(rows.first).to_contain_text("Zulu")
    page.get_by_role("columnheader", name="Paper", exact=True).get_by_role("button").press("Enter")
    expect(rows.first).to_contain_text("English")
    page.get_by_label("Find a language").fill("swah")
    expect(rows).to_have_count(1)
    expect(page.locator("output")).to_have_text("1 of 116")
    page.get_by_role("link", name="Swahili").press("Enter")
    expect(page.locator("h1")).to_contain_text("Swahili")


def test_crawled_text_never_becomes_markup(viewer: BrowserContext, server: Factory) -> None:
    page = Opened(viewer, server, f"/corpus/dumps/{ODD}/languages/sw").page
    expect(page.get_by_text("<script>document.title = 'owned'</script>")).to_be_visible()
    assert page.title() == f"Swahili in {ODD}"
    assert page.locator("main img, main script").count() == 0


def test_a_language_without_text_is_told_so(viewer: BrowserContext, server: Factory) -> None:
    opened = Opened(viewer, server, f"/corpus/dumps/{ODD}/languages/xh")
    assert opened.status == 200
    expect(opened.page.get_by_text(f"No document of Xhosa was kept in {ODD}")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_pages_without_scrolling_sideways(
    phone: BrowserContext, server: Factory, shots: Shots, path: str
) -> None:
    page = Opened(phone, server, path).page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    shots.take(page, f"corpus-{PAGES.index(path)}-phone", whole=True)


def test_dark_and_light_follow_the_system_and_the_ui(viewer: BrowserContext, server: Factory, shots: Shots) -> None:
    page = Opened(viewer, server, "/corpus/").page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    shots.take(page, "corpus-0-dark", whole=True)
    assert dark != light
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert page.evaluate(ground) == light


def test_the_navigation_of_airflow_leads_to_the_page(viewer: BrowserContext, server: Factory, shots: Shots) -> None:
    page = Opened(viewer, server, "/").page
    page.get_by_role("link", name="Corpus").first.click()
    inside = page.frame_locator("iframe")
    expect(inside.get_by_role("heading", name="Dumps")).to_be_visible(timeout=20_000)
    inside.get_by_role("link", name=LATER).click(timeout=60_000)
    expect(inside.locator("h1")).to_have_text(LATER)
    shots.take(page, "corpus-in-airflow")


@pytest.mark.parametrize("started", ["backfill", "manual"])
def test_the_tab_of_a_run_shows_its_own_dump(admin: BrowserContext, server: Factory, started: str) -> None:
    """A backfill's run is named after its dump; of one that the form started, the page asks Airflow."""
    run = next(
        run
        for run in server.runs("xlmr_corpus")
        if (run["run_type"], run["state"]) == (started, "success")
        and DUMPS[0] in (run["partition_key"], run["conf"].get("crawl"))
    )
    page = Opened(admin, server, f"/dags/xlmr_corpus/runs/{quote(run['dag_run_id'], safe='')}").page
    page.locator(TAB).click(timeout=60_000)
    expect(page.frame_locator("iframe").locator("h1")).to_have_text(DUMPS[0], timeout=60_000)


def test_the_tab_of_a_release_lists_its_dumps(admin: BrowserContext, server: Factory) -> None:
    run = server.runs("xlmr_release")[0]
    page = Opened(admin, server, f"/dags/xlmr_release/runs/{quote(run['dag_run_id'], safe='')}").page
    page.locator(TAB).click(timeout=60_000)
    for dump in DUMPS:
        expect(page.frame_locator("iframe").get_by_role("link", name=dump)).to_be_visible(timeout=60_000)


def test_the_event_of_a_dump_and_of_a_release_links_to_its_page(viewer: BrowserContext, server: Factory) -> None:
    events = server.call("GET", "/api/v2/assets/events?limit=200")["asset_events"]
    pages = {event["extra"]["name"]: event["extra"]["page"] for event in events if event["extra"].get("page")}
    assert set(pages) >= {*DUMPS, "cc100"}
    for name in (DUMPS[0], "cc100"):
        page = Opened(viewer, server, pages[name]).page
        expect(page.frame_locator("iframe").locator("h1")).to_have_text(name, timeout=60_000)


def test_programs_read_the_same_with_a_token(server: Factory) -> None:
    found = server.ask("GET", f"/corpus/api/dumps/{LATER}", token=server.token("viewer")).json()
    assert [(row["code"], row["documents"]) for row in found["languages"]] == [("en", 20), ("ur", 4)]


def test_a_viewer_starts_nothing(server: Factory) -> None:
    body = {"logical_date": None, "conf": {}}
    reply = server.ask("POST", "/api/v2/dags/xlmr_corpus/dagRuns", body, server.token("viewer"))
    assert reply.status_code == 403


@pytest.mark.parametrize("path", ["/api/v2/dags", "/corpus/static/table.js", "/corpus/run?dag_id=xlmr_corpus"])
def test_without_a_login_programs_read_nothing(server: Factory, path: str) -> None:
    assert server.ask("GET", path).status_code == 401
