"""An empty store: what is refused, what fails, and what waits for the language models."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from embedded.airflow.errors import AirflowError
from tests.browser.conftest import Shots
from tests.browser.factory import DUMPS, LANGUAGES, SLOWLY_S, Factory, wait_for
from tests.browser.forms import open_form, press_trigger

CORPUS, MODELS = "xlmr_corpus", "xlmr_language_models"
MISSING = "language models of de, en, sw not made yet: run xlmr_language_models"


@pytest.fixture(scope="module")
def waiting() -> dict[str, str]:
    """The run that waits for models, kept from test to test."""
    return {}


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        pytest.param({"slices": 0}, "Invalid input for param slices: 0 is less than the minimum of 1", id="slices"),
        pytest.param({"languages": ["xx"]}, "Invalid input for param languages: 'xx' is not one of", id="languages"),
        pytest.param(
            {"crawl": "CC-MAIN-2026-99"}, "Invalid input for param crawl: 'CC-MAIN-2026-99' is not", id="crawl"
        ),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(factory: Factory, conf: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowError, match="Airflow answers 400") as refused:
        factory.trigger(CORPUS, conf)
    assert said in str(refused.value)


def test_an_unknown_dump_is_refused_by_its_key(factory: Factory) -> None:
    with pytest.raises(AirflowError, match="answers 400: 'CC-MAIN-2026-99' is no known dump") as refused:
        factory.trigger(CORPUS, {}, "CC-MAIN-2026-99")
    assert ", ".join(DUMPS) in str(refused.value)
    assert factory.runs(CORPUS) == []


def test_a_form_with_a_wrong_text_starts_nothing_and_says_why(factory: Factory, page: Page) -> None:
    dialog = open_form(page, "xlmr_release")
    page.locator("input[name=element_release]").fill("../outside")
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    expect(page.get_by_text("Invalid input for param release: '../outside' does not match").first).to_be_visible()
    expect(dialog).to_be_visible()
    assert factory.runs("xlmr_release") == []


def test_a_number_out_of_bounds_goes_back_into_them(page: Page) -> None:
    open_form(page, CORPUS)
    field = page.locator("input[name=element_segments]")
    field.fill("-3")
    field.blur()
    expect(field).to_have_value("0")


def test_a_run_that_may_not_wait_fails_at_once_and_says_what_to_do(factory: Factory) -> None:
    run_id = factory.trigger(CORPUS, {"missing_models": "fail"})
    wait_for(lambda: factory.state(CORPUS, run_id) == "failed", SLOWLY_S, "the run to fail")
    last = factory.log(CORPUS, run_id, "wait")[-1]
    assert last.startswith(f"wait failed: {MISSING}")
    assert "What to do:" in last
    assert {task["state"] for task in factory.tasks(CORPUS, run_id)} == {"failed", "upstream_failed"}


def test_the_form_of_corpus_starts_a_run_that_waits_and_says_for_what(
    factory: Factory, page: Page, shots: Shots, waiting: dict[str, str]
) -> None:
    dialog = open_form(page, CORPUS)
    shots.take(page, "form-xlmr_corpus")
    run_id = waiting["run"] = press_trigger(page, dialog)
    wait_for(
        lambda: factory.task_state(CORPUS, run_id, "wait") == "up_for_reschedule", SLOWLY_S, "the run to wait",
        lambda: factory.told_of(CORPUS, run_id),
    )  # fmt: skip
    assert factory.log(CORPUS, run_id, "wait")[-1].startswith(f"waiting: {MISSING}")


def test_the_form_of_language_models_makes_them(factory: Factory, page: Page, shots: Shots) -> None:
    dialog = open_form(page, MODELS)
    shots.take(page, f"form-{MODELS}")
    run_id = press_trigger(page, dialog)
    factory.wait_until_green(MODELS, run_id)
    names = {task["rendered_map_index"] for task in factory.tasks(MODELS, run_id) if task["task_id"] == "train_lm"}
    assert names == set(LANGUAGES)


def test_the_run_that_waited_goes_on_by_itself(factory: Factory, waiting: dict[str, str]) -> None:
    factory.wait_until_green(CORPUS, waiting["run"])


def test_mapped_tasks_are_named_by_slice_and_range(factory: Factory, waiting: dict[str, str]) -> None:
    tasks = factory.tasks(CORPUS, waiting["run"])
    names = {
        stage: sorted(task["rendered_map_index"] for task in tasks if task["task_id"] == stage)
        for stage in ("ingest", "extract", "find_duplicates")
    }
    dump = DUMPS[-1]
    assert names == {
        "ingest": ["language-identifier"],
        "extract": [f"{dump}/00000-of-00002", f"{dump}/00001-of-00002"],
        "find_duplicates": [f"{dump}/range-00000-of-00001"],
    }
