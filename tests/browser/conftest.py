"""One Airflow and one Chromium for the whole suite, which runs in a fixed order: an empty store fills up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow")
pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from embedded.install import CHROMIUM
from tests.browser.factory import Factory, start

ORDER = ("test_waiting", "test_backfills", "test_forms", "test_corpus_page", "test_models_page")
REPORT = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", default="", metavar="DIR", help="folder for pictures of pages [default: none]")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only where it was asked for (-m browser), and in the order of the story."""
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    if "browser" not in config.option.markexpr:
        for item in own:
            item.add_marker(pytest.mark.skip(reason="a real browser and minutes: make test-browser"))
    for item in own:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.airflow)
    others = [item for item in items if item not in own]
    items[:] = others + sorted(own, key=lambda item: ORDER.index(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    if report.failed:
        item.stash[REPORT] = True
    return report


class Shots:
    """Pictures of pages, where a folder was named for them."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self._folder / f"{name}.png", full_page=whole)


@pytest.fixture(scope="session")
def shots(request: pytest.FixtureRequest) -> Shots:
    return Shots(request.config.getoption("--screenshots", ""))


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    running = start(tmp_path_factory.mktemp("factory"))
    yield running
    running.airflow.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which(CHROMIUM)
    if not chromium:
        pytest.fail(f"no {CHROMIUM} on the PATH: make test-browser installs it where it may")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def admin(browser: Browser, factory: Factory, shots: Shots, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    yield from _context(browser, factory, shots, request, "admin")


@pytest.fixture
def viewer(
    browser: Browser, factory: Factory, shots: Shots, request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    yield from _context(browser, factory, shots, request, "viewer")


@pytest.fixture
def phone(browser: Browser, factory: Factory, shots: Shots, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    yield from _context(browser, factory, shots, request, "viewer", viewport={"width": 390, "height": 844})


@pytest.fixture
def page(admin: BrowserContext) -> Page:
    """A tab of the admin's."""
    return admin.new_page()


def _context(
    browser: Browser, factory: Factory, shots: Shots, request: pytest.FixtureRequest, user: str, **options: Any
) -> Iterator[BrowserContext]:
    """Logged in; where the test failed, a picture of each of its tabs."""
    context = browser.new_context(base_url=factory.url, **({"viewport": {"width": 1280, "height": 900}} | options))
    context.add_cookies([{"name": "_token", "value": factory.token(user), "url": factory.url}])
    yield context
    if request.node.stash.get(REPORT, False):
        name = re.sub(r"\W+", "-", request.node.name)
        for number, tab in enumerate(context.pages):
            shots.take(tab, f"failed-{name}-{number}")
    context.close()
