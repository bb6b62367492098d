"""The dialogs of Airflow's UI in which a run, or a backfill, is started."""

from __future__ import annotations

from urllib.parse import unquote

from playwright.sync_api import Locator, Page, expect

LOADED_S = 60.0  # pages and dialogs, on a machine that others use too
RUN_PAGE = "**/dags/*/runs/*"


def open_form(page: Page, dag_id: str) -> Locator:
    """The dialog of the DAG's button "Trigger", when its fields are there."""
    page.set_default_timeout(LOADED_S * 1000)
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Run Parameters")).to_be_visible(timeout=LOADED_S * 1000)
    return dialog


def press_trigger(page: Page, dialog: Locator) -> str:
    """The id of the run that this starts: Airflow shows its page."""
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(RUN_PAGE, timeout=LOADED_S * 1000)
    return unquote(page.url.rpartition("/runs/")[2].split("?")[0])


def choose_backfill(dialog: Locator, start: str, end: str) -> Locator:
    """Two dates as 2026/07/01, two runs at a time.  Returns the button that starts them."""
    page = dialog.page
    dialog.get_by_text("Backfill", exact=True).click()
    for number, date in enumerate((start, end)):
        page.get_by_test_id("datetime-input").nth(number).click()
        page.get_by_placeholder("YYYY/MM/DD").fill(date)
        page.get_by_placeholder("YYYY/MM/DD").press("Enter")
        page.get_by_placeholder("HH:mm").fill("00:00")
        page.get_by_placeholder("HH:mm").press("Enter")
        page.get_by_text("Date Range").click()
        expect(page.get_by_placeholder("YYYY/MM/DD")).to_have_count(
            0, timeout=LOADED_S * 1000
        )  # the calendar closes slowly on a busy machine
    dialog.locator("input[name=max_active_runs]").fill("2")
    return dialog.get_by_role("button", name="Run Backfill", exact=True)


def choose(dialog: Locator, field: str, value: str) -> None:
    """One of the values that a field offers."""
    row = dialog.page.locator(f"input[name=element_{field}]").locator(
        "xpath=ancestor::div[.//input[@role='combobox']][1]"
    )
    row.get_by_role("combobox").fill(value)
    dialog.page.get_by_role("option", name=value, exact=True).click()
