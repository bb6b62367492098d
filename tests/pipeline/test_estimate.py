"""What a run costs at a dump's size: amounts that add up to the dump, the defaults within their limits, plain words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.deployment import ROOT, Deployment
from pipeline.dump_amounts import DUMP, FROM_ONE_DUMP, identified_bytes, share_of
from pipeline.estimate import (
    AIRFLOW_TASKS,
    AMOUNTS,
    LONGEST_MINUTES,
    MOST_TASKS,
    RATES,
    TRAINING,
    StageEstimate,
    estimate,
    estimate_table,
)
from pipeline.json_file import read_json_object
from pipeline.plan import Plan
from pipeline.runs import CORPUS, END_TO_END, RUNS


def corpus(**choices: Any) -> Plan:
    return Plan(CORPUS, CORPUS.settings.parse({"crawl": "CC-MAIN-2026-34"} | choices), Deployment())


def cc100(**choices: Any) -> Plan:
    values = read_json_object(ROOT / "releases" / "cc100.json", "settings") | choices
    return Plan(END_TO_END, END_TO_END.settings.parse(values), Deployment())


def row(found: dict[str, Any], stage: str) -> dict[str, Any]:
    return next(row for row in found["stages"] if row["stage"] == stage)


def bytes_read(plan: Plan, stage: str) -> float:
    return sum(AMOUNTS[stage](StageEstimate(plan, stage), unit) for unit in plan.own_units(stage))


def test_the_units_of_a_stage_read_the_whole_dump() -> None:
    plan = corpus(slices=7, dedup_ranges=3)
    assert bytes_read(plan, "extract") == pytest.approx(18e12)
    assert bytes_read(plan, "identify") == pytest.approx(18e12 * 0.3)
    assert bytes_read(plan, "find_duplicates") == pytest.approx(18e12 / 100 * 0.5 * 9)
    assert bytes_read(plan, "filter_perplexity") == pytest.approx(18e12 * 0.3 * 0.9)


def test_the_parts_of_a_release_read_what_identify_kept_of_all_dumps() -> None:
    plan = cc100()
    scored = bytes_read(plan, "filter_perplexity")
    assert bytes_read(plan, "regroup") == pytest.approx(scored)
    assert bytes_read(plan, "encode") == pytest.approx(scored * DUMP.head)  # buckets head and all


def test_shares_of_languages_add_up_and_a_language_of_one_dump_counts_twelve_times_one_of_twelve() -> None:
    from ccnet.languages import LANGUAGES

    assert share_of(tuple(LANGUAGES)) == pytest.approx(1)
    assert "en" in FROM_ONE_DUMP
    swahili, greek = 1.6 / 12, 46.9 / 12
    assert identified_bytes(("sw",)) / identified_bytes(("el",)) == pytest.approx(swahili / greek, rel=0.01)


def test_a_dump_of_fewer_languages_costs_less_to_score_and_the_same_to_read() -> None:
    all_of_them, some = estimate(corpus()), estimate(corpus(languages=["sw"]))
    assert row(some, "extract") == row(all_of_them, "extract")
    assert row(some, "filter_perplexity")["core_hours"] < row(all_of_them, "filter_perplexity")["core_hours"] / 100


def test_a_global_dump_also_reads_the_hashes_of_the_dumps_before_it() -> None:
    settings = CORPUS.settings.parse({"crawl": "CC-MAIN-2018-13", "dedup": "global"})
    earlier = [f"gather_hashes/CC-MAIN-2018-{week}/0/manifest.json" for week in ("05", "09")]
    plan = Plan(CORPUS, settings, Deployment(), earlier=earlier)
    assert bytes_read(plan, "find_duplicates") == pytest.approx(3 * bytes_read(corpus(), "find_duplicates"))


def test_pages_of_warc_files_that_take_longer_than_an_hour_are_told_plainly() -> None:
    found = estimate(corpus(kind="warc"))
    minutes = row(found, "extract")["longest_task_minutes"]
    assert minutes > LONGEST_MINUTES
    assert f"extract: its longest task takes {minutes:,.0f} minutes on one core, more than 60" in found["notes"]
    assert (
        f"fetch: its longest task takes {row(found, 'fetch')['longest_task_minutes']:,.0f} minutes at 25 MB/s"
        in str(found["notes"])
    )
    assert any("`segments`" in note for note in found["notes"])


def test_a_dump_at_the_defaults_has_at_most_a_thousand_tasks_with_those_of_airflow() -> None:
    assert estimate(corpus())["tasks"] + AIRFLOW_TASKS <= MOST_TASKS
    assert any("more than 1,000" in note for note in estimate(corpus(dedup_ranges=200))["notes"])


@pytest.mark.parametrize("slices", [50, 135, 200])
def test_each_stage_with_a_task_of_more_than_an_hour_is_named(slices: int) -> None:
    found = estimate(corpus(slices=slices))
    long = {row["stage"] for row in found["stages"] if row["longest_task_minutes"] > 60}
    assert long == {note.partition(":")[0] for note in found["notes"] if "its longest task takes" in note}


def test_the_slices_that_a_note_advises_are_enough() -> None:
    advice = next(note for note in estimate(corpus(slices=100))["notes"] if note.startswith("slices="))
    wanted = int(advice.removeprefix("slices=").split()[0])
    assert estimate(corpus(slices=wanted))["longest_task_minutes"] <= 60


def test_memory_has_the_language_model_and_the_hashes_in_it() -> None:
    few, many = estimate(corpus(dedup_memory_gib=2.0)), estimate(corpus(dedup_memory_gib=10.0))
    grown = row(many, "find_duplicates")["memory_gib"] - row(few, "find_duplicates")["memory_gib"]
    assert grown == pytest.approx(8, abs=0.11)
    assert row(few, "filter_perplexity")["memory_gib"] > 4.4


@pytest.mark.parametrize("name", [name for name in RUNS if name in ("corpus", "end_to_end")])
def test_every_stage_that_reads_text_has_a_measured_rate(name: str) -> None:
    known = json.loads(RATES.read_text(encoding="utf-8"))
    for stage in set(RUNS[name].stages) - TRAINING:
        assert stage in known["stages"] or stage in known["without_an_amount"]
        assert (stage in AMOUNTS) == (stage in known["stages"])


def test_rates_name_no_place_of_the_machine_that_measured_them() -> None:
    text = RATES.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert "/" not in "".join(json.loads(text)[name] for name in ("machine", "crawl"))


@pytest.mark.parametrize("plan", [corpus(), cc100(), corpus(kind="warc")], ids=["dump", "cc100", "warc"])
def test_the_table_fits_into_eighty_columns(plan: Plan) -> None:
    written = io.StringIO()
    Console(file=written, width=80).print(estimate_table(estimate(plan)))
    assert "…" not in written.getvalue()
    assert max(map(len, written.getvalue().splitlines())) <= 80
