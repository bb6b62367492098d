"""Planning: each unit is worked out once, a task finds its own, parts cover a language, dumps keep their order.

What grows is counted, not timed: calls of Stage.key (one a unit) and of the look-ups of inputs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from pipeline import dump_order
from pipeline.build_on import make_plan
from pipeline.deployment import Deployment
from pipeline.errors import MissingArtifact
from pipeline.plan import Plan, Work, select
from pipeline.runner import Waiting, run_plan
from pipeline.runs import CORPUS, END_TO_END, LANGUAGE_MODELS
from pipeline.stage import Stage, StageConfig
from pipeline.store import open_store

DUMPS = ["CC-MAIN-2018-05", "CC-MAIN-2018-09", "CC-MAIN-2018-13"]


def plan_of(**choices: Any) -> Plan:
    values = {"dumps": DUMPS, "languages": ["de", "en", "sw"], "slices": 4, "dedup_ranges": 2} | choices
    return Plan(END_TO_END, END_TO_END.settings.parse(values), Deployment())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The (stage, unit) of every key that is worked out."""
    found: list[tuple[str, str]] = []
    original = Stage.key

    def key(self: Stage, config: StageConfig, unit: str, inputs: tuple[str, ...]) -> str:
        found.append((self.name, unit))
        return original(self, config, unit, inputs)

    monkeypatch.setattr(Stage, "key", key)
    return found


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The units of every input that is looked up."""
    found: list[str] = []
    original = Plan._key

    def key(self: Plan, stage: str, unit: str) -> str:
        found.append(unit)
        return original(self, stage, unit)

    monkeypatch.setattr(Plan, "_key", key)
    return found


def test_each_unit_of_a_plan_is_worked_out_once(asked: list[tuple[str, str]]) -> None:
    plan = plan_of()
    works = plan.works()
    assert len(asked) == len(set(asked)) == len(works)
    plan.works()
    assert len(asked) == len(works)


def test_twice_the_slices_take_at_most_twice_the_look_ups(looked_up: list[str]) -> None:
    plan_of(slices=20).works()
    few = len(looked_up)
    looked_up.clear()
    plan_of(slices=40).works()
    assert 1.5 * few < len(looked_up) <= 2 * few


def test_a_task_at_the_start_plans_its_own_unit_alone(asked: list[tuple[str, str]]) -> None:
    plan_of().work("hash_paragraphs", f"{DUMPS[1]}/00002-of-00004")
    assert asked == [(stage, f"{DUMPS[1]}/00002-of-00004") for stage in ("fetch", "extract", "hash_paragraphs")]


def test_a_task_behind_deduplication_plans_its_own_dump_alone(asked: list[tuple[str, str]]) -> None:
    plan_of().work("deduplicate", f"{DUMPS[1]}/00002-of-00004")
    # fetch, extract and hash_paragraphs of 4 slices, gather_hashes, 2 ranges, and the unit itself
    assert len(asked) == 3 * 4 + 1 + 2 + 1
    assert {unit.split("/")[0] for _, unit in asked} == {DUMPS[1]}


def test_parts_of_a_language_are_all_its_slices_once_in_their_order() -> None:
    plan = plan_of(part_gib=50.0, dumps_of={"sw": DUMPS[:1]})
    slices = [f"{crawl}/{index:05d}-of-00004" for crawl in DUMPS for index in range(4)]
    # English: 300.8 GiB of one dump, so a part a slice; German 66.6; Swahili 1.6 of twelve dumps.
    wanted = {"en": (len(slices), slices), "de": (ceil(66.6 * len(DUMPS) / 50), slices), "sw": (1, slices[:4])}
    for language, (count, all_of_it) in wanted.items():
        parts = plan.parts_of(language)
        read = [unit for part in parts for unit in plan.slices_of_part(part)]
        assert (len(parts), read) == (count, all_of_it)
        assert all(plan.slices_of_part(part) for part in parts)


def test_a_part_needs_at_least_one_slice() -> None:
    assert len(plan_of(part_gib=0.001, dumps=DUMPS[:1]).parts_of("en")) == 4


def test_keys_do_not_depend_on_the_order_of_settings() -> None:
    values = {"dumps": DUMPS, "languages": ["de", "en"], "slices": 2, "dedup_ranges": 1,
              "dumps_of": {"de": DUMPS[:2], "en": DUMPS[1:]}}  # fmt: skip
    turned = {name: value[::-1] if isinstance(value, list) else value for name, value in reversed(values.items())}
    turned["dumps_of"] = dict(reversed(values["dumps_of"].items()))  # type: ignore[attr-defined]
    places = {"cut_offs": "/a", "digests": {"cut-offs": "1" * 64, "language-identifier": "2" * 64}}
    turned_places = {"digests": dict(reversed(places["digests"].items())), "cut_offs": "/a"}  # type: ignore[attr-defined]
    plans = [
        Plan(END_TO_END, END_TO_END.settings.parse(chosen), Deployment.parse(where))
        for chosen, where in ((values, places), (turned, turned_places))
    ]
    first, second = ({work.key for work in plan.works()} for plan in plans)
    assert first == second


def test_a_setting_that_changes_no_bytes_changes_no_key() -> None:
    assert plan_of(dedup_memory_gib=1.0).last.key == plan_of(dedup_memory_gib=64.0).last.key


def hashes_of(crawl: str, mark: str = "0000") -> str:
    return f"gather_hashes/{crawl}/{mark}/manifest.json"


def take_places(root: str, crawls: list[str]) -> None:
    store = open_store(root)
    for crawl in crawls:
        dump_order.take_place(store, "series", hashes_of(crawl))


def test_processes_that_take_places_at_once_get_different_ones(tmp_path: Path) -> None:
    crawls = [f"CC-MAIN-2018-{week:02d}" for week in range(1, 41)]
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        list(pool.map(take_places, [str(tmp_path)] * 2, (crawls[:20], crawls[20:])))
    store = open_store(str(tmp_path))
    before = {crawl: len(dump_order.earlier(store, "series", hashes_of(crawl))) for crawl in crawls}
    assert sorted(before.values()) == list(range(40))
    assert len(os.listdir(tmp_path / dump_order.FOLDER / "series")) == 40


def test_a_dump_added_later_changes_nothing_for_the_earlier_ones(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    late, early = DUMPS[0], DUMPS[2]  # the order is that of arrival, not of ids
    take_places(store.root, [early, late])
    assert dump_order.earlier(store, "series", hashes_of(early)) == ()
    assert dump_order.earlier(store, "series", hashes_of(late)) == (hashes_of(early),)
    assert dump_order.earlier(store, "series", hashes_of(DUMPS[1])) == ()  # it has no place yet


def test_a_dump_keeps_its_place_when_it_runs_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    take_places(store.root, [DUMPS[0], DUMPS[1], DUMPS[0]])
    assert dump_order.earlier(store, "series", hashes_of(DUMPS[0])) == ()
    assert dump_order.earlier(store, "series", hashes_of(DUMPS[1])) == (hashes_of(DUMPS[0]),)


def test_of_a_dump_that_was_made_anew_the_last_hashes_count_and_not_its_own(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for crawl, mark in ((DUMPS[0], "aaaa"), (DUMPS[1], "aaaa"), (DUMPS[0], "bbbb"), (DUMPS[2], "aaaa")):
        dump_order.take_place(store, "series", hashes_of(crawl, mark))
    wanted = (hashes_of(DUMPS[0], "bbbb"), hashes_of(DUMPS[1], "aaaa"))
    assert dump_order.earlier(store, "series", hashes_of(DUMPS[2], "aaaa")) == wanted
    assert dump_order.earlier(store, "series", hashes_of(DUMPS[0], "bbbb")) == (hashes_of(DUMPS[1], "aaaa"),)


def corpus_plan(root: str, crawl: str, **choices: Any) -> Plan:
    values = {"crawl": crawl, "languages": ["sw"], "slices": 2, "dedup_ranges": 1, "dedup": "global"} | choices
    store = open_store(root)
    return make_plan(CORPUS, CORPUS.settings.parse(values), Deployment(), store, ())


def test_a_global_corpus_run_reads_the_hashes_of_the_dumps_before_it(tmp_path: Path) -> None:
    first = corpus_plan(str(tmp_path), DUMPS[2])
    own = first.work("gather_hashes", DUMPS[2]).key
    dump_order.take_place(open_store(str(tmp_path)), first.series, own)
    second = corpus_plan(str(tmp_path), DUMPS[0])
    hashes = second.work("gather_hashes", DUMPS[0]).key
    dump_order.take_place(open_store(str(tmp_path)), second.series, hashes)
    second = corpus_plan(str(tmp_path), DUMPS[0])  # as a task of the run makes it once its dump has a place
    assert second.work("find_duplicates", f"{DUMPS[0]}/range-00000-of-00001").inputs == tuple(sorted((own, hashes)))
    assert corpus_plan(str(tmp_path), DUMPS[2]).last.key == first.last.key


def test_dumps_whose_hashes_cannot_be_compared_have_another_order(tmp_path: Path) -> None:
    marks = {
        corpus_plan(str(tmp_path), crawl, **choices).series
        for crawl, choices in ((DUMPS[0], {}), (DUMPS[1], {}), (DUMPS[0], {"min_characters": 200}))
    }
    assert len(marks) == 2


class CountedInputs(tuple[str, ...]):
    """Inputs that remember how often they were looked through."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        CountedInputs.looks += 1
        return super().__iter__()


def work_of(key: str, *inputs: str) -> Work:
    return Work("fetch", key, StageConfig(), CountedInputs(inputs), key)


def test_work_is_ready_when_its_last_input_is_made() -> None:
    waiting = Waiting([work_of("a"), work_of("b", "old"), work_of("c", "a", "b"), work_of("d", "c", "a")])
    assert [work.key for work in waiting.take()] == ["a", "b"]
    assert waiting.take() == []
    waiting.made("a")
    assert waiting.take() == []
    waiting.made("b")
    assert [work.key for work in waiting.take()] == ["c"]
    waiting.made("c")
    assert [work.key for work in waiting.take()] == ["d"]


def test_the_inputs_of_work_are_looked_through_once_however_much_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CountedInputs, "looks", 0)
    slices = [work_of(f"slice-{index}") for index in range(500)]
    ranges = [work_of(f"range-{index}", *(work.key for work in slices)) for index in range(20)]
    waiting = Waiting([*slices, *ranges])
    for work in waiting.take():
        waiting.made(work.key)
    assert len(waiting.take()) == 20
    assert CountedInputs.looks == 520


def models_run(tmp_path: Path, languages: list[str], **places: str) -> tuple[tuple[Work, ...], str]:
    settings = LANGUAGE_MODELS.settings.parse({"languages": languages})
    deployment = Deployment.parse({"store": (tmp_path / "store").as_uri()} | places)
    return select(Plan(LANGUAGE_MODELS, settings, deployment), "ingest"), deployment.store


def test_a_plan_runs_what_is_missing_and_tells_what_stood(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    for language in ("de", "sw"):
        (tmp_path / "reference" / f"{language}.txt").write_text("eins\n")
    (tmp_path / "lid.bin").write_bytes(b"a model")
    works, root = models_run(
        tmp_path, ["de", "sw"], reference=str(tmp_path / "reference"), language_identifier=str(tmp_path / "lid.bin")
    )
    told: list[tuple[str, bool]] = []
    run_plan(works[:1], root, workers=1, on_done=lambda work, skipped: told.append((work.unit, skipped)))
    run_plan(works, root, workers=1, on_done=lambda work, skipped: told.append((work.unit, skipped)))
    assert told[:2] == [("language-identifier", False), ("language-identifier", True)]
    assert sorted(told[2:]) == [("reference/de", False), ("reference/sw", False)]


def test_the_first_error_ends_a_run_with_the_unit_by_name(tmp_path: Path) -> None:
    works, root = models_run(tmp_path, ["sw"], language_identifier=str(tmp_path / "nowhere.bin"))
    with pytest.raises(MissingArtifact, match=r"ingest language-identifier: .*nowhere\.bin"):
        run_plan(works, root, workers=1, on_done=lambda work, skipped: None)


def test_tasks_hold_every_unit_once_in_its_order() -> None:
    for most, slices in ((0, 4), (0, 200), (3, 4), (6, 200)):
        settings = {"crawl": DUMPS[0], "slices": slices}
        plan = Plan(CORPUS, CORPUS.settings.parse(settings), Deployment(most_tasks=most))
        for stage in CORPUS.stages:
            tasks = plan.tasks(stage)
            assert [unit for task in tasks for unit in task] == list(plan.own_units(stage))
            assert len(tasks) <= (most or 200)


def test_cheap_slices_share_a_task_and_filters_have_one_each() -> None:
    settings = CORPUS.settings.parse({"crawl": DUMPS[0], "slices": 200})
    plain, filtered = Plan(CORPUS, settings, Deployment()), Plan(CORPUS, settings, Deployment(filters="rules"))
    assert [len(plain.tasks(stage)) for stage in ("fetch", "extract", "filter_documents")] == [100, 200, 4]
    assert len(filtered.tasks("filter_documents")) == 200


def test_other_reference_text_of_a_language_makes_its_language_model_again_and_no_other() -> None:
    settings = LANGUAGE_MODELS.settings.parse({"languages": ["en", "sw", "ur"]})

    def keys(digest: str) -> dict[str, str]:
        deployment = Deployment(reference="reference", digests={"reference/en": "0" * 64, "reference/sw": digest})
        return {work.unit: work.key for work in Plan(LANGUAGE_MODELS, settings, deployment).works("train_lm")}

    before, after = keys("1" * 64), keys("2" * 64)
    assert {unit for unit in before if before[unit] != after[unit]} == {"sw"}
