"""The paper's figures 2 to 7 and its table 5, from a store of checkpoints with given scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from evaluation.figures import FIGURES, PaperFigure, corpus_of, figures_of
from evaluation.report import as_text, render
from evaluation.report_figures import as_plain, not_drawn, shown_figures
from evaluation.report_tables import tables_of
from pipeline.all_scores import scores_report
from pipeline.cli import xlmr
from pipeline.result_store import read_results
from pipeline.score_rows import Origin
from pipeline.store import FileStore
from tests.evaluation.ablations import CODES, Ablation, several, write_ablation, write_xnli

# (80 + 70) / 2 = 75, (50 + 60) / 2 = 55, (80 + 70 + 66 + 64 + 65 + 50 + 60) / 7 = 65
SEVEN = {"en": 80.0, "fr": 70.0, "de": 66.0, "ru": 64.0, "zh": 65.0, "sw": 50.0, "ur": 60.0}
MADE = {
    "xlm-7": Ablation(),
    "xlm-7-cc": Ablation(release="cc100"),
    "xlm-100": Ablation(several(100)),
    "xlm-100-960": Ablation(several(100), hidden=960, parameters=250_000_000),
    "alpha-0.01": Ablation(several(100), alpha=0.01),
    "alpha-0.7": Ablation(several(100), alpha=0.7),
    "pieces-32k": Ablation(several(100), vocabulary=32_002, parameters=110_000_000),
    "pieces-32k-wide": Ablation(several(100), vocabulary=32_002, hidden=1080, parameters=204_000_000),
    "batch-8192": Ablation(several(100), batch_blocks=8192),
}
# How much lower every language is than in SEVEN.
LOWER = {"xlm-7": 0.0, "xlm-7-cc": -5.0, "xlm-100": 4.0, "xlm-100-960": 2.0, "alpha-0.01": 6.0, "alpha-0.7": 5.0,
         "pieces-32k": 9.0, "pieces-32k-wide": 7.0, "batch-8192": 3.0}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FileStore:
    store = FileStore(tmp_path_factory.mktemp("ablations") / "store")
    for name, made in MADE.items():
        key = write_ablation(store, name, made)
        for seed in (1, 2):  # one point above and one below
            write_xnli(store, key, {code: value - LOWER[name] + 2 * seed - 3 for code, value in SEVEN.items()}, seed)
    for code in CODES:
        key = write_ablation(store, f"bert-{code.lower()}", Ablation((code,), "cc100", vocabulary=40_002))
        language = code.split("-")[0]
        write_xnli(store, key, {language: SEVEN[language] + 1}, setting="translate-train", trained_on=language,
                   selection="source")  # fmt: skip
    write_xnli(store, _key(store, "xlm-7-cc"), SEVEN, setting="translate-train-all", trained_on="all")
    return store


def _key(store: FileStore, name: str) -> str:
    return read_results(store, checkpoint_name=name)[0].origin.checkpoint_key


@pytest.fixture(scope="module")
def report(store: FileStore) -> dict[str, Any]:
    return scores_report(store)


@pytest.fixture(scope="module")
def found(report: dict[str, Any]) -> dict[int, PaperFigure]:
    return {figure.number: figure for figure in figures_of(report["benchmarks"])}


def names(figure: PaperFigure) -> list[list[str]]:
    return [[point.checkpoint for point in line.points] for line in figure.lines]


def test_a_row_says_of_which_release_and_batch_its_checkpoint_is(store: FileStore) -> None:
    [*_, each] = read_results(store, checkpoint_name="batch-8192")
    origin = each.origin
    assert (origin.release, origin.batch_blocks, origin.languages, origin.only_language) == ("wiki100", 8192, 100, "")
    assert read_results(store, checkpoint_name="bert-sw")[0].origin.only_language == "sw"


def test_a_point_has_the_means_of_its_languages_for_each_seed(found: dict[int, PaperFigure]) -> None:
    [line] = found[2].lines
    small, large = line.points
    assert (small.x, small.high_resource, small.low_resource, small.average) == (7, (74, 76), (54, 56), (64, 66))
    assert (large.x, large.high_resource, large.low_resource, large.average) == (100, (70, 72), (50, 52), (60, 62))
    assert (small.seeds, small.failed, small.collapsed) == (2, 0, 0)


def test_a_line_has_checkpoints_that_are_the_same_in_all_else(found: dict[int, PaperFigure]) -> None:
    assert names(found[2]) == [["xlm-7", "xlm-100"]]
    assert names(found[3]) == [["xlm-7", "xlm-7-cc"]]
    assert names(found[4]) == [["xlm-7", "xlm-100"], ["xlm-100-960"]]
    assert names(found[5]) == [["alpha-0.01", "xlm-100", "alpha-0.7"]]
    assert names(found[7]) == [["xlm-100", "batch-8192"]]
    assert found[2].lines[0].same["corpus"] == "Wiki"


def test_figure_6_has_a_line_of_one_width_and_one_of_one_number_of_parameters(found: dict[int, PaperFigure]) -> None:
    assert [line.kind for line in found[6].lines] == ["same width", "same number of parameters"]
    assert names(found[6]) == [["pieces-32k", "xlm-100"], ["pieces-32k-wide", "xlm-100"]]


def test_who_is_left_out_and_why_is_told(report: dict[str, Any], found: dict[int, PaperFigure]) -> None:
    assert found[7].left_out == {
        "none that differs in batch_blocks is the same in all else": tuple(
            sorted(set(MADE) - {"xlm-100", "batch-8192"})
        )
    }
    rows = [row | {"batch_blocks": None} if row["checkpoint_name"] == "xlm-7" else row for row in report["benchmarks"]]
    seven = {figure.number: figure for figure in figures_of(rows)}[7]
    assert seven.left_out["batch_blocks not recorded"] == ("xlm-7",)


def test_other_settings_and_monolingual_models_are_in_no_figure(report: dict[str, Any]) -> None:
    shown = {
        point.checkpoint for each in figures_of(report["benchmarks"]) for line in each.lines for point in line.points
    }
    assert shown == set(MADE)


def test_an_average_is_over_the_languages_that_all_points_have(report: dict[str, Any]) -> None:
    rows = [row for row in report["benchmarks"] if (row["checkpoint_name"], row["language"]) != ("xlm-100", "ur")]
    figure = figures_of(rows)[0]
    assert figure.languages == ("en", "fr", "de", "ru", "zh", "sw")
    assert figure.lines[0].points[0].average == pytest.approx((395 / 6 - 1, 395 / 6 + 1))  # 455 without ur's 60
    assert figure.lines[0].points[1].low_resource == ()
    assert "those that all of these were scored on" in " ".join(shown_figures(rows)[0].table.notes)


def test_one_checkpoint_makes_no_figure(report: dict[str, Any]) -> None:
    rows = [row for row in report["benchmarks"] if row["checkpoint_name"] == "xlm-7"]
    assert figures_of(rows) == []
    assert not_drawn(rows) == ""
    assert "Figures 2 to 7" not in render(report | {"benchmarks": rows}, "html")


def test_missing_figures_are_named_beside_others(report: dict[str, Any]) -> None:
    rows = [row for row in report["benchmarks"] if row["checkpoint_name"] in ("xlm-7", "xlm-100")]
    assert not_drawn(rows).endswith("figures 3 (corpus), 4 (hidden_size), 5 (alpha), 6 (vocabulary_size), "
                                    "7 (batch_blocks).")  # fmt: skip


def test_the_papers_numbers_and_statement_stand_beside_ours(report: dict[str, Any]) -> None:
    shown = {each.figure.number: each.table for each in shown_figures(report["benchmarks"])}
    ours, paper = shown[2].sections
    assert ours.lines[0].label == "xlm-7 (2 seeds)"
    assert [cell.text for cell in ours.lines[0].cells] == ["7", "75.0 ± 1.4", "55.0 ± 1.4", "65.0 ± 1.4"]
    assert [[cell.text for cell in line.cells] for line in paper.lines] == [
        ["7", "79.5", "61.5", "71.8"], ["100", "–", "–", "67.7"], ["7", "82.2", "69.1", "76.2"]]  # fmt: skip
    assert "Here: from 7 to 100 average -4.0, high-resource -4.0, low-resource -4.0." in shown[2].notes
    assert [line.cells[0].text for line in shown[3].sections[1].lines] == ["Wiki", "CC"]


def test_failed_and_collapsed_seeds_are_counted(report: dict[str, Any]) -> None:
    rows = [row | {"failed_seeds": [3]} if row["checkpoint_name"] == "xlm-7" else row for row in report["benchmarks"]]
    rows = [row | {"flags": ["near chance"]} if row["seed"] == 2 else row for row in rows]
    assert shown_figures(rows)[0].table.sections[0].lines[0].label == "xlm-7 (2 of 3 seeds, 1 failed, 1 collapsed)"


def test_table_5_has_a_row_of_monolingual_models_beside_the_multilingual_ones(report: dict[str, Any]) -> None:
    table = tables_of(report["benchmarks"])[1]
    alone, transfer, every = table.sections
    assert [line.label for line in alone.lines[2:]] == [
        "monolingual, 7 models (1 seed; epoch chosen by its own dev set)"
    ]
    assert alone.lines[2].facts == ("CC", "40k", "1")
    assert [cell.text for cell in alone.lines[2].cells] == [
        "81.0",
        "71.0",
        "67.0",
        "65.0",
        "66.0",
        "51.0",
        "61.0",
        "66.0",
    ]
    assert alone.lines[2].cells[4].target.startswith("s-bert-zh-hans-xnli-translate-train")
    assert {line.label.split(" (")[0]: line.facts for line in transfer.lines[2:4]} == {
        "xlm-7": ("Wiki", "150k", "7"), "xlm-7-cc": ("CC", "150k", "7")}  # fmt: skip
    assert [line.facts for line in transfer.lines[:2]] == [("Wiki", "150k", "7"), ("CC", "150k", "7")]
    assert [line.label for line in every.lines if line.kind == "ours"] == [
        "xlm-7-cc (1 seed; epoch chosen by the mean of all dev sets)"]  # fmt: skip
    assert "Monolingual: en bert-en, fr bert-fr, de bert-de, ru bert-ru, zh bert-zh-hans" in table.notes[0]


def test_monolingual_models_of_two_corpora_are_two_rows(report: dict[str, Any]) -> None:
    again = [row | {"checkpoint_name": f"{row['checkpoint_name']}-wiki", "release": "wiki"}
             for row in report["benchmarks"] if row["only_language"] in ("en", "sw")]  # fmt: skip
    [_, table, *_] = tables_of([*report["benchmarks"], *again])
    assert [line.facts[0] for line in table.sections[0].lines] == ["Wiki", "CC", "CC", "Wiki"]
    assert table.sections[0].lines[3].cells[-1].text == "66.0 (2 of 7)"


def test_each_format_has_every_figure(report: dict[str, Any]) -> None:
    page = render(report, "html")
    for number, query in FIGURES.items():
        for form in ("html", "md", "tex"):
            assert f"Figure {number}: {query.title}" in render(report, form)
        assert f"Figure {number}: {query.title}" in as_text(report)
    assert page.count("<div class=figure><svg") == 6
    plain = json.loads(render(report, "json"))["figures"]
    assert [each["figure"] for each in plain] == [2, 3, 4, 5, 6, 7]
    assert plain[0]["lines"][0]["points"][0]["average"] == 65.0
    assert as_plain(report["benchmarks"])[0]["paper"][1]["average"] == 67.7


def test_the_same_scores_give_the_same_bytes(report: dict[str, Any], store: FileStore) -> None:
    for form in ("html", "md", "tex", "json"):
        assert render(report, form) == render(scores_report(store), form)


def test_the_command_writes_them(store: FileStore, tmp_path: Path) -> None:
    done = CliRunner().invoke(xlmr, ["report", "--store", str(store.root), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Figure 5: " in (tmp_path / "report.md").read_text()


def test_rows_without_the_newer_fields_are_still_read(store: FileStore, tmp_path: Path) -> None:
    old = FileStore(tmp_path / "old")
    place = next(iter(store.list("results/")))
    (tmp_path / "new.parquet").write_bytes(store.get(place))
    table = parquet.read_table(tmp_path / "new.parquet").drop_columns(["release", "batch_blocks", "only_language"])
    parquet.write_table(table, tmp_path / "old.parquet")
    old.put(place, (tmp_path / "old.parquet").read_bytes())
    origin = read_results(old)[0].origin
    assert (origin.release, origin.batch_blocks, origin.only_language) == (
        Origin.__dataclass_fields__["release"].default,
        None,
        "",
    )
    assert render(scores_report(old), "html")


def test_a_corpus_is_called_as_its_releases_name_says() -> None:
    assert [corpus_of(name) for name in ("wiki100", "cc100", "news", "")] == ["Wiki", "CC", "news", ""]
