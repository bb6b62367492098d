"""Both dumps by a backfill from the dialog, the command line and REST; the releases that this makes."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots
from tests.browser.factory import DUMPS, QUICKLY_S, Factory, wait_for, write_release_file
from tests.browser.forms import choose_backfill, open_form

CORPUS, READY, RELEASE = "xlmr_corpus", "xlmr_release_ready", "xlmr_release"
FROM, TO = "2026-07-01", "2026-09-01"
FIRST, SECOND = "cc100", "second"  # release files: the first has the name that the forms have


def test_the_dialog_backfills_each_dump_once(factory: Factory, page: Page, shots: Shots) -> None:
    write_release_file(factory, FIRST)
    known = factory.run_ids(CORPUS)
    button = choose_backfill(open_form(page, CORPUS), FROM.replace("-", "/"), TO.replace("-", "/"))
    expect(page.get_by_text("2 runs will be triggered")).to_be_visible()
    shots.take(page, "backfill")
    button.click()
    runs = factory.new_runs(CORPUS, known, 2)
    for run in runs:
        factory.wait_until_green(CORPUS, run["dag_run_id"])
    assert sorted(run["partition_key"] for run in factory.new_runs(CORPUS, known, 2)) == list(DUMPS)
    assert all(run["dag_run_id"].startswith(f"backfill__{run['partition_key']}__") for run in runs)
    page.goto(f"/dags/{CORPUS}")
    expect(page.get_by_text("filter_perplexity").first).to_be_visible(timeout=60_000)
    page.wait_for_load_state("networkidle")
    shots.take(page, "grid")


def test_the_release_starts_by_itself_when_its_last_dump_is_there(factory: Factory) -> None:
    run = factory.new_runs(RELEASE, set(), timeout_s=QUICKLY_S)[0]
    assert run["dag_run_id"].startswith(f"ready__{FIRST}__")
    factory.wait_until_green(RELEASE, run["dag_run_id"])
    _wait_for_ready_runs(factory)
    assert len(factory.runs(RELEASE)) == 1


def test_vocabulary_pretraining_and_evaluation_wake_one_after_another(factory: Factory) -> None:
    for dag_id, key in (("xlmr_vocabulary", "cc100"), ("xlmr_pretrain", "cc100"), ("xlmr_evaluate", "cc100-tiny")):
        run = factory.new_runs(dag_id, set(), timeout_s=QUICKLY_S)[0]
        assert (run["run_type"], run["partition_key"]) == ("asset_triggered", key)
        factory.wait_until_green(dag_id, run["dag_run_id"])


def test_the_command_line_backfills_finished_dumps_within_seconds(factory: Factory) -> None:
    """Both dumps end together here, and both complete the same new release: it is started once."""
    write_release_file(factory, SECOND, languages=["en", "sw"])
    factory.call("PATCH", "/api/v2/dags/xlmr_vocabulary", {"is_paused": True})  # a second model would show nothing new
    known, manifests = factory.run_ids(CORPUS), _of_dumps(factory)
    factory.wait_for_backfills(CORPUS)
    said = factory.command(
        "backfill", "create", "--dag-id", CORPUS, "--from-date", FROM, "--to-date", TO, "--max-active-runs", "2",
        "--reprocess-behavior", "completed",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-2000:]
    _both_end_quickly(factory, known)
    assert _of_dumps(factory) == manifests


def test_two_dumps_that_end_together_start_their_release_once(factory: Factory) -> None:
    _wait_for_ready_runs(factory)
    found = [run for run in factory.runs(RELEASE) if run["dag_run_id"].startswith(f"ready__{SECOND}__")]
    assert len(found) == 1
    factory.wait_until_green(RELEASE, found[0]["dag_run_id"])
    assert len(factory.runs(RELEASE)) == 2
    factory.call("PATCH", "/api/v2/dags/xlmr_vocabulary", {"is_paused": False})


def test_rest_backfills_finished_dumps_within_seconds_and_makes_nothing(factory: Factory) -> None:
    known, manifests = factory.run_ids(CORPUS), factory.manifests()
    factory.wait_for_backfills(CORPUS)
    factory.call(
        "POST", "/api/v2/backfills",
        {"dag_id": CORPUS, "from_date": f"{FROM}T00:00:00Z", "to_date": f"{TO}T00:00:00Z", "max_active_runs": 2,
         "reprocess_behavior": "completed"},
    )  # fmt: skip
    _both_end_quickly(factory, known)
    _wait_for_ready_runs(factory)
    assert factory.manifests() == manifests
    assert len(factory.runs(RELEASE)) == 2


def test_a_dump_runs_again_by_its_key(factory: Factory) -> None:
    manifests = factory.manifests()
    run_id = factory.trigger(CORPUS, {}, DUMPS[0])
    factory.wait_until_green(CORPUS, run_id, QUICKLY_S)
    assert f"/summarize/{DUMPS[0]}/" in factory.log(CORPUS, run_id, "finish")[-1]
    assert factory.manifests() == manifests


def _both_end_quickly(factory: Factory, known: set[str]) -> None:
    runs = factory.new_runs(CORPUS, known, 2)
    assert sorted(run["partition_key"] for run in runs) == list(DUMPS)
    for run in runs:
        factory.wait_until_green(CORPUS, run["dag_run_id"], QUICKLY_S)
        states = {task["task_id"]: task["state"] for task in factory.tasks(CORPUS, run["dag_run_id"])}
        done = {name for name, state in states.items() if state == "success"}
        assert (done, states["extract"]) == ({"wait", "begin", "finish"}, "skipped")


def _wait_for_ready_runs(factory: Factory) -> None:
    """Every dump was looked at after its last run, and nothing is under way."""

    def all_looked_at() -> bool:
        looks, started = factory.runs(READY), {}
        for run in factory.runs(CORPUS):
            if run["partition_key"] and run["state"] == "success":
                started[run["partition_key"]] = run["start_date"]
        last = {run["partition_key"]: run["queued_at"] for run in looks}
        ended = {run["state"] for run in looks} == {"success"}
        return ended and all(last.get(dump, "") > at for dump, at in started.items())

    wait_for(all_looked_at, QUICKLY_S, READY, lambda: str(factory.runs(READY)))


def _of_dumps(factory: Factory) -> set[str]:
    """What was made of dumps, without releases and what follows them."""
    return {key for key in factory.manifests() if any(dump in key for dump in DUMPS)}
