"""What users read of the command line: help texts, docs/commands.md, lists of settings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import xlmr
from pipeline.cli.reference import reference
from pipeline.runs import RUNS

DOCS = Path(__file__).resolve().parents[2] / "docs"
SUMMARY_CHARACTERS = 45  # click cuts longer ones on a narrow terminal


def help_of(verb: str) -> str:
    found = CliRunner().invoke(xlmr, [verb, "--help"], prog_name="xlmr")
    assert found.exit_code == 0, found.output
    return found.output


def test_the_command_reference_is_current() -> None:
    stated = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert stated == reference(), "run: python -m pipeline.cli.reference > docs/commands.md"


def test_the_reference_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = reference()
    monkeypatch.setenv("COLUMNS", "40")
    assert reference() == wide


@pytest.mark.parametrize("verb", sorted(xlmr.commands))
def test_the_help_of_every_verb_has_an_example(verb: str) -> None:
    assert re.search(rf"^  Example: .*\bxlmr {verb}\b", help_of(verb), re.MULTILINE)


@pytest.mark.parametrize("verb", sorted(xlmr.commands))
def test_every_option_of_every_verb_is_explained(verb: str) -> None:
    options = [option for option in xlmr.commands[verb].params if isinstance(option, click.Option)]
    assert not [option.name for option in options if not option.help]


@pytest.mark.parametrize("verb", sorted(xlmr.commands))
def test_the_summary_of_every_verb_is_a_sentence_that_is_not_cut(verb: str) -> None:
    summary = xlmr.commands[verb].get_short_help_str(SUMMARY_CHARACTERS)
    assert re.fullmatch(r"[A-Z][^.]*\.", summary)
    assert len(summary) <= SUMMARY_CHARACTERS


@pytest.mark.parametrize("run", RUNS)
def test_every_setting_of_a_run_is_listed_with_its_description(run: str) -> None:
    listed = CliRunner().invoke(xlmr, ["settings", run]).output
    for name, field in RUNS[run].settings.model_fields.items():
        assert field.description
        assert re.search(rf"^{name}  \[.*\]\n    {re.escape(field.description)}$", listed, re.MULTILINE)
