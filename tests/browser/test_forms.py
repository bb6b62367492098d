"""Each DAG's form, defaults untouched, on a store where all is there: green within seconds, nothing is made twice."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots
from tests.browser.factory import DUMPS, QUICKLY_S, Factory
from tests.browser.forms import choose, open_form, press_trigger

DAGS = ["xlmr_corpus", "xlmr_release", "xlmr_vocabulary", "xlmr_pretrain", "xlmr_evaluate", "xlmr_end_to_end"]


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_form_starts_a_run_that_ends_green_and_makes_nothing_again(
    factory: Factory, page: Page, shots: Shots, dag_id: str
) -> None:
    manifests = factory.manifests()
    dialog = open_form(page, dag_id)
    shots.take(page, f"form-{dag_id}")
    run_id = press_trigger(page, dialog)
    factory.wait_until_green(dag_id, run_id, QUICKLY_S)
    assert sorted(factory.manifests() - manifests) == []


def test_the_field_crawl_runs_that_dump_again(factory: Factory, page: Page) -> None:
    dialog = open_form(page, "xlmr_corpus")
    choose(dialog, "crawl", DUMPS[0])
    expect(page.locator("input[name=element_crawl]")).to_have_value(DUMPS[0])
    run_id = press_trigger(page, dialog)
    factory.wait_until_green("xlmr_corpus", run_id, QUICKLY_S)
    assert f"/summarize/{DUMPS[0]}/" in factory.log("xlmr_corpus", run_id, "finish")[-1]


def test_what_a_form_made_wakes_the_next_run_which_ends_green(factory: Factory) -> None:
    """The forms above published what was there once more, under its name."""
    for dag_id in ("xlmr_vocabulary", "xlmr_pretrain", "xlmr_evaluate"):
        for run in factory.runs(dag_id):
            factory.wait_until_green(dag_id, run["dag_run_id"], QUICKLY_S)
