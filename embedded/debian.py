"""Debian's packages without root: downloaded by apt into a folder and unpacked there, never installed."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)


class AptUnavailable(RuntimeError):
    """apt is not there, or cannot reach its archive: one line."""


class Archive:
    """apt with the system's package lists where they are usable, else with lists of our own in `folder`."""

    def __init__(self, folder: Path) -> None:
        for program in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(program) is None:
                raise AptUnavailable(f"{program} not found: this is no Debian-like system")
        self.folder = folder.resolve()
        self._options: list[str] | None = None

    def version_of(self, package: str) -> str:
        """Upstream part of the version that would be downloaded, e.g. 1.74.0 of 1.74.0.3."""
        return self._candidate(package, self.options()).split("-")[0].split(":")[-1]

    def has(self, package: str) -> bool:
        return bool(self._candidate(package, self.options()))

    def unpack(self, packages: Sequence[str], target: Path) -> Path:
        """Download packages and unpack them into `target`; done again only where it is not whole."""
        target = target.resolve()
        marker = target / ".unpacked"
        wanted = "\n".join(sorted(packages))
        if marker.exists() and marker.read_text() == wanted:
            return target
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        downloads = target.with_name(f".{target.name}.download")
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        self._run(["apt-get", *self.options(), "-qq", "download", *packages], downloads)
        for archive in sorted(downloads.glob("*.deb")):
            self._run(["dpkg-deb", "-x", str(archive), str(target)], downloads)
        shutil.rmtree(downloads)
        marker.write_text(wanted)
        return target

    def options(self) -> list[str]:
        """apt's options; the first call may fetch package lists.  Raises AptUnavailable."""
        if self._options is None:
            self._options = [] if self._candidate("base-files", []) and self._can_download([]) else self._own_lists()
        return self._options

    def _own_lists(self) -> list[str]:
        lists, cache = self.folder / "lists", self.folder / "cache"
        for folder in (lists / "partial", cache / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}", "-o", "APT::Sandbox::User="]
        if not (lists / ".updated").exists():
            log.info("fetching apt's package lists into a folder of our own")
            self._run(["apt-get", *options, "-qq", "update"], self.folder)
            if not self._candidate("base-files", options):
                raise AptUnavailable("apt-get update brought no package lists: no archive is configured or reachable")
            (lists / ".updated").touch()
        return options

    def _can_download(self, options: list[str]) -> bool:
        """Whether the lists know where packages are (a machine may know only what it has installed)."""
        said = self._said(["apt-get", *options, "-qq", "--print-uris", "download", "base-files"])
        return "://" in said

    def _candidate(self, package: str, options: list[str]) -> str:
        for line in self._said(["apt-cache", *options, "policy", package]).splitlines():
            name, _, value = line.strip().partition(": ")
            if name == "Candidate" and value != "(none)":
                return value
        return ""

    def _said(self, command: list[str]) -> str:
        found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        return found.stdout

    def _run(self, command: list[str], folder: Path) -> None:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            said = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise AptUnavailable(f"{command[0]} ended with {result.returncode}: {said}")
