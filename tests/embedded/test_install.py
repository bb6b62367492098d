"""What the set-up says where it cannot go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedded.install import InstallError, RootWanted, install_browser


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_browser_that_is_there_is_taken(programs: Path) -> None:
    _program(programs, "chromium", "exit 0")
    install_browser()


def test_without_apt_a_missing_browser_is_an_error_of_one_line(programs: Path) -> None:
    with pytest.raises(InstallError, match="no chromium on the PATH, and no apt-get to install it") as said:
        install_browser()
    assert "\n" not in str(said.value)


def test_a_user_who_is_not_root_is_told_that_the_tests_are_skipped(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(programs, "apt-get", "exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RootWanted, match="browser tests SKIPPED: no chromium on the PATH"):
        install_browser()


def test_a_failing_apt_is_told_in_one_line(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(programs, "env", "echo E: no archive; exit 100")
    _program(programs, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(InstallError) as said:
        install_browser()
    assert str(said.value) == "no chromium on the PATH, and apt-get cannot install it: E: no archive"
