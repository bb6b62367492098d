"""README.md and docs/ say what the code says: entries, settings, benchmarks, and links that lead somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.settings import SELECTIONS, SETTINGS
from pipeline.deployment import Deployment
from pipeline.runs import PRETRAIN, VOCABULARY
from training.settings import PretrainSettings

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = (".png", ".svg")  # made by a browser, not in every checkout


def rows_of(page: str, section: str = "") -> list[list[str]]:
    """Cells of the tables of a page, or of one of its sections."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    if section:
        text = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def names_in_column(rows: list[list[str]], column: int) -> list[str]:
    return re.findall(r"`(\w[\w-]*)`", " ".join(row[column] for row in rows))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_entry_of_the_deployment_file_is_documented_and_no_other() -> None:
    stated = names_in_column(rows_of("operating.md", "The deployment file"), 0)
    assert sorted(stated) == sorted(Deployment.model_fields)


def test_every_setting_of_training_is_documented() -> None:
    stated = set(names_in_column(rows_of("training.md"), 0))
    runs = {*VOCABULARY.settings.model_fields, *PRETRAIN.settings.model_fields}
    named_elsewhere = {"buckets", "release", "model_name"}  # they choose what is read and how the result is named
    assert runs | {field.name for field in fields(PretrainSettings)} <= stated | named_elsewhere


def test_every_benchmark_setting_and_selection_is_documented_and_no_other() -> None:
    assert set(names_in_column(rows_of("evaluation.md", "Benchmarks"), 0)) == set(BENCHMARKS)
    assert names_in_column(rows_of("evaluation.md", "Settings"), 0) == list(SETTINGS)
    assert names_in_column(rows_of("evaluation.md", "Which epoch is scored"), 0) == list(SELECTIONS)


def test_settings_of_benchmarks_are_those_of_the_table() -> None:
    for name, *_, settings, _ in rows_of("evaluation.md", "Benchmarks"):
        for benchmark in re.findall(r"`(\w+)`", name):
            assert settings.split(", ") == list(BENCHMARKS[benchmark].settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_and_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in target or path.endswith(PICTURES):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
