"""Reports: the paper's tables with our rows in them, escaped, linked, and as wide as the screen."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.report import as_text, write_report
from evaluation.report_page import render_latex, render_markdown, render_page
from evaluation.report_plots import score_plot, size_plot
from evaluation.report_shapes import OURS, PaperTable
from evaluation.report_tables import tables_of
from evaluation.results import ResultRow
from pipeline.stages.report import scale_of

CHROMIUM = shutil.which("chromium")


def row(benchmark: str, language: str, metric: str, value: float, seed: int = 1, **changed: Any) -> dict[str, Any]:
    known = BENCHMARKS[benchmark]
    values: dict[str, Any] = {
        "benchmark": benchmark, "benchmark_version": 2, "language": language, "metric": metric, "value": value,
        "examples": 30, "seed": seed, "headline": metric == known.headline, "setting": known.settings[0],
        "selection": "source", "dev": "dev", "scored": "test", "trained_on": "en", "train_examples": 90, "epoch": 2,
        "max_tokens": 128, "chance": known.chance, "baseline": 34.0, "baseline_is": "most frequent label",
        "paper": None, "data": "d", "checkpoint": "c", "config": "k", "code": "x", "flags": (),
    }  # fmt: skip
    paper = known.paper.get(language) if metric == known.headline else None
    made = ResultRow(**values | {"paper": paper} | changed)
    return asdict(made) | {"lineage": f"evaluate/{benchmark}-{seed}"}


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    corpus = {
        code: {"name": name, "documents": 5, "paragraphs": 9, "characters": 99, "gib": gib, "tokens": 1000,
               "buckets": {"head": 3, "tail": 2}, "paper_gib": 1.0, "paper_tokens_m": None}
        for code, name, gib in (("en", "English", 0.2), ("de", "German <b>", 0.1), ("sw", "Swahili", 0.01))
    }  # fmt: skip
    return {
        "scale": "15 documents; 0.9 million parameters & 65,536 tokens.",
        "crawls": ["CC-MAIN-2019-09"],
        "corpus": corpus,
        "dropped": {"identify": {"low_score": 3}},
        "flow": {"identify": {"documents_in": 18, "documents_kept": 15}},
        "vocabulary": {"pieces": 600, "alpha": 0.3},
        "pretraining": {"parameters": 900_000, "steps": 20, "world_size": 1, "first_loss_nats": 6.4,
                        "last_loss_nats": 6.0, "loss_window_updates": 5, "uniform_loss_nats": 6.4,
                        "curve": [[1, 6.4], [20, 6.0]]},
        "benchmarks": rows,
    }  # fmt: skip


def cells(table: PaperTable, label: str) -> list[str]:
    [line] = [line for section in table.sections for line in section.lines if line.label.startswith(label)]
    return [cell.text for cell in line.cells]


def test_table_1_has_our_row_beside_the_papers_in_its_section() -> None:
    rows = [row("xnli", "en", "accuracy", value, seed) for seed, value in ((1, 50.0), (2, 54.0))]
    rows += [row("xnli", "sw", "accuracy", value, seed) for seed, value in ((1, 40.0), (2, 42.0))]
    rows.append(row("xnli", "de", "accuracy", 45.0, setting="translate-train", trained_on="de"))
    table = tables_of(rows, languages=3)[0]
    assert table.columns[:3] == ("en", "fr", "es")
    assert [len(section.lines) for section in table.sections] == [7 + 3, 2, 1 + 3, 5]
    ours = table.sections[0].lines[7]
    assert ours.label == "this model (2 seeds; epoch chosen by en dev alone)"
    assert ours.facts == ("ours", "1", "3")
    assert ours.cells[0].text == "52.0 ± 2.8"
    assert [ours.cells[13].text, ours.cells[1].text, ours.cells[-1].text] == ["41.0 ± 1.4", "–", "46.5 (2 of 15)"]
    assert [line.label for line in table.sections[0].lines[8:]] == ["most frequent label", "a random answer"]
    assert table.sections[2].lines[1].facts == ("ours", "N", "3")
    assert table.sections[0].lines[6].cells[-1].text == "80.9"


def test_the_selection_and_what_was_scored_are_always_stated() -> None:
    table = tables_of([row("xnli", "en", "accuracy", 50.0, selection="per-language", scored="dev",
                           flags=("near chance",))])[0]  # fmt: skip
    ours = table.sections[0].lines[7]
    assert ours.label == "this model (1 seed, 1 collapsed; epoch chosen by each language's dev set)"
    assert ours.facts[1] == "N"
    assert "xnli: the dev set is what was scored." in table.notes
    assert "xnli: near chance (en)." in table.notes
    assert table.notes[0].startswith("Data: CC BY-NC 4.0")


def test_table_2_has_the_papers_two_decimals() -> None:
    [table] = tables_of([row("ner", "en", "f1", 50.126, baseline=0.0), row("ner", "es", "f1", 40.0, baseline=0.0)])
    assert cells(table, "Akbik") == ["93.18", "90.44", "–", "88.27", "–"]
    assert cells(table, "this model") == ["50.13", "–", "40.00", "–", "45.06 (2 of 4)"]


def test_table_3_shows_f1_and_exact_match() -> None:
    rows = [row("mlqa", "en", "f1", 10.0), row("mlqa", "en", "exact_match", 5.0), row("mlqa", "es-de", "f1", 1.0)]
    [table] = tables_of(rows)
    assert cells(table, "this model")[0] == "10.0 / 5.0"
    assert cells(table, "XLM-15")[-1] == "61.6 / 43.5"


def test_a_mean_is_over_the_test_sets_that_the_benchmarks_authors_average() -> None:
    [table] = tables_of(
        [row("tydiqa", name, "f1", value) for name, value in (("en", 90.0), ("ko", 20.0), ("te", 25.0))]
    )
    assert cells(table, "en")[0] == "90.0"
    assert cells(table, "mean of 2")[0] == "22.5"


def test_table_4_counts_mnli_once() -> None:
    rows = [row("mnli", "en-matched", "accuracy", 60.0), row("mnli", "en-mismatched", "accuracy", 62.0)]
    rows += [row(name, "en", "accuracy", value) for name, value in
             (("qnli", 70.0), ("qqp", 75.0), ("sst2", 80.0), ("mrpc", 69.0))]  # fmt: skip
    rows += [row("stsb", "en", "pearson", 30.0), row("stsb", "en", "spearman", 29.0)]
    [table] = tables_of(rows)
    assert cells(table, "this model") == ["60.0/62.0", "70.0", "75.0", "80.0", "69.0", "30.0", "64.0"]
    assert cells(table, "XLM-R") == ["88.9/89.0", "93.8", "92.3", "95.0", "89.5", "91.2", "91.8"]
    assert table.columns == ("MNLI-m/mm", "QNLI", "QQP", "SST", "MRPC", "STS-B", "Avg")


def test_selections_of_the_epoch_share_no_row_and_no_mean() -> None:
    glue = [row("sst2", "en", "accuracy", value, selection=name) for name, value in (("source", 80.0), ("joint", 70.0))]
    [table] = tables_of(glue)
    own = [line for line in table.sections[0].lines if line.kind == OURS]
    assert [(line.cells[3].text, "mean of all dev sets" in line.label) for line in own] == [
        ("80.0", False),
        ("70.0", True),
    ]
    xnli = [row("xnli", name, "accuracy", value, selection=selection)
            for name in ("en", "de") for selection, value in (("source", 40.0), ("joint", 60.0))]  # fmt: skip
    for plot in (score_plot(xnli), size_plot(xnli, {"en": 3.0, "de": 2.0}, "text")):
        assert "joint" in plot
        assert "source" in plot
    one = [row("xnli", "en", "accuracy", value, seed) for seed, value in ((1, 20.0), (2, 80.0))]
    assert "xnli en<" in score_plot(one)


def test_table_5_has_the_seven_languages() -> None:
    rows = [row("xnli", name, "accuracy", 50.0) for name in ("en", "fr", "de", "ru", "zh", "sw", "ur")]
    table = tables_of(rows)[1]
    assert table.columns == ("en", "fr", "de", "ru", "zh", "sw", "ur", "Avg")
    assert [len(section.lines) for section in table.sections] == [2, 2 + 3, 2]
    assert cells(table, "this model")[-1] == "50.0"


def test_other_benchmarks_have_a_row_for_each_language() -> None:
    rows = [row("belebele", name, "accuracy", 25.0) for name in ("hin_Latn", "hin_Deva")]
    [table] = tables_of(rows)
    assert [line.label for line in table.sections[0].lines] == ["hin_Deva", "hin_Latn", "mean of 2"]
    assert [cell.text for cell in table.sections[0].lines[0].cells] == ["25.0", "34.0", "25.0", "30"]


ALL = [
    *(row("xnli", name, "accuracy", 40.0, seed) for name in ("en", "de", "sw") for seed in (1, 2)),
    *(row("ner", name, "f1", 12.0, baseline=0.0) for name in ("en", "nl", "es", "de")),
    row("mlqa", "en", "f1", 10.0), row("mlqa", "en", "exact_match", 5.0), row("sst2", "en", "accuracy", 80.0),
    row("tatoeba", "swh", "accuracy", 3.0, setting="frozen", selection="none"),
]  # fmt: skip


def test_the_first_line_says_what_was_run_at_which_scale() -> None:
    shown = report(ALL)
    page = render_page(shown)
    body = page[page.index("<body>") :]
    assert html.unescape(re.sub("<[^>]+>", "", body).strip().splitlines()[0]) == shown["scale"]
    assert render_markdown(shown).splitlines()[0] == shown["scale"]
    assert render_latex(shown).splitlines()[0] == f"% {shown['scale']}"
    assert as_text(shown).startswith("Scale: 15 documents; 0.9 million parameters")


def test_the_text_has_a_table_for_each_setting_with_the_facts_of_each_row() -> None:
    said = as_text(report([*ALL, row("xnli", "en", "accuracy", 50.0, setting="translate-train-all")]), 200)
    titles = [line.strip() for line in said.splitlines() if line.strip().startswith("XNLI (tables 1 and 5): ")]
    assert len(titles) == len(set(titles)) == 2
    assert re.search(r"#lg +│ +100 ", said)


def test_text_from_data_is_escaped_in_each_form() -> None:
    shown = report([row("sst2", "en", "accuracy", 80.0, flags=("a_b & <i> | 5 %",))])
    page = render_page(shown)
    assert "German &lt;b&gt;" in page
    assert "German <b>" not in page
    assert "a_b &amp; &lt;i&gt; | 5 %" in page
    assert r"0.9 million parameters \& 65,536 tokens" in render_latex(shown)


def test_each_score_leads_to_its_run() -> None:
    page = render_page(report(ALL))
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert "s-xnli-transfer-source-sw-accuracy" in targets
    ids = re.findall(r' id="?([^">]+)', page)
    assert targets <= set(ids)
    assert len([each for each in ids if each.startswith("s-")]) == len({each for each in ids if each.startswith("s-")})
    assert "evaluate/xnli-2" in page


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(report(ALL), tmp_path / name)
    for name in ("report.json", "report.html", "report.md", "report.tex"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / "report.json").read_text())["scale"].startswith("15 documents")


def test_markdown_tables_have_as_many_cells_in_each_row() -> None:
    for block in render_markdown(report(ALL)).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.replace(r"\|", "").count("|") for line in lines}) <= 1, block


def test_each_of_our_numbers_leads_to_the_manifest_that_it_comes_from() -> None:
    text = render_markdown(report(ALL))
    places = dict(re.findall(r'<a id="([^"]+)"></a>.*`([^`]+)` \|$', text, re.MULTILINE))
    linked = set(re.findall(r"\[[^]]+\]\(#([^)]+)\)", text))
    assert len(linked) == 3 + 4 + 1 + 1 + 1
    assert {places[target].rpartition("-")[0] for target in linked} == {
        f"evaluate/{name}" for name in ("xnli", "ner", "mlqa", "sst2", "tatoeba")}  # fmt: skip


def test_rows_of_different_files_are_told() -> None:
    rows = [row("sst2", "en", "accuracy", 80.0) | {"checkpoint_name": "a"},
            row("sst2", "en", "accuracy", 70.0, data="other", examples=20) | {"checkpoint_name": "b"}]  # fmt: skip
    [table] = tables_of(rows)
    assert any(note.startswith("sst2: rows are of different files") for note in table.notes)
    assert "20 to 30 examples" in scale_of(rows)


def test_a_report_without_scores_is_still_a_report() -> None:
    assert "All scores" in render_page(report([]))
    assert render_markdown(report([]))


def test_results_of_the_first_version_are_still_shown() -> None:
    old = {"benchmark": "sst2", "language": "en", "metric": "accuracy", "value": 50.0, "examples": 30, "seed": 1,
           "trained_on": "en", "headline": True, "chance": 50.0, "paper": 95.0, "lineage": "evaluate/x"}  # fmt: skip
    assert "50.0" in render_page(report([old]))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_the_page_is_no_wider_than_a_phone(tmp_path: Path) -> None:
    write_report(report(ALL), tmp_path)
    frame = '<iframe id=f src="report.html" style="width:390px;height:800px;border:0"></iframe>'
    script = (
        "onload=()=>{document.title='wide '+document.getElementById('f').contentDocument.documentElement.scrollWidth}"
    )
    (tmp_path / "frame.html").write_text(f"{frame}<script>{script}</script>")
    flags = ("--headless", "--no-sandbox", "--allow-file-access-from-files", "--virtual-time-budget=2000")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(CHROMIUM), *flags, profile, "--dump-dom", f"file://{tmp_path / 'frame.html'}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(r"<title>wide (\d+)</title>", said), said
    assert int(re.findall(r"<title>wide (\d+)", said)[0]) <= 390
