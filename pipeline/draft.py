"""Where a body writes: files aside, counts that must add up, state that outlives a kill; then one commit."""

from __future__ import annotations

import json
import logging
import platform
import resource
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.errors import EmptyOutput, FactoryError, UnbalancedCounts
from pipeline.launchers.settings import Launcher, Processes
from pipeline.lease import STATE_NAME, Lease, LeaseTimes
from pipeline.manifest import MANIFEST_NAME, Artifact, Manifest
from pipeline.state import State, open_state
from pipeline.store import ArtifactStore, sha256_of
from pipeline.store.disk import ATTEMPT_NAME

log = logging.getLogger(__name__)

PROGRESS_NAME = "progress.json"
PROGRESS_EVERY_S = 2.0
LOG_EVERY_S = 30.0
# Reasons that a person asked for by name: a unit may lose everything to them.
ASKED_FOR = ("dropped_removal_list", "dropped_robots_txt", "dropped_benchmark_text")


class UnitFinished(Exception):
    """Another attempt's manifest stands: there is nothing left to do."""


@dataclass(frozen=True)
class Provenance:
    """How a unit was made, as its manifest records it."""

    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: tuple[str, ...]  # keys of manifests
    packages: tuple[str, ...]
    shared: bool


class Draft:
    """What a body has made so far.  Nothing in it is visible to readers before `commit`."""

    def __init__(self, store: ArtifactStore, prefix: str, folder: Path, stage: str, unit: str) -> None:
        self.store = store
        self.prefix = prefix
        self.folder = folder
        self.unit = unit
        self.what = f"{stage} {unit}"
        self.attempt = uuid.uuid4().hex[:12]
        (folder / ATTEMPT_NAME).write_text(self.attempt)  # who cleans knows that it lives
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.hardware = ""  # what the body computes on, for the manifest
        self.lease_times = LeaseTimes()
        self.launcher: Launcher = Processes()
        self.on_milestone: Callable[[str], None] | None = None  # called with a milestone's name
        self._lease: Lease | None = None
        self._waited_s = 0.0
        self._places: dict[str, str] = {}
        self._reused: list[Artifact] = []
        self._next_progress = time.monotonic() + PROGRESS_EVERY_S
        self._next_log = time.monotonic() + LOG_EVERY_S

    def path(self, name: str) -> Path:
        """A local file to write; it becomes the artifact `name`."""
        path = self.folder / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def publish_at(self, name: str, key: str) -> None:
        """Publish the artifact `name` under a key of its own (the release, whose folders people read)."""
        self._places[name] = key

    def reuse(self, artifact: Artifact) -> None:
        """List an input's artifact as one's own, where it lies: nothing is copied."""
        self._reused.append(artifact)

    def write_json(self, name: str, value: object) -> None:
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
        self.path(name).write_text(text + "\n", encoding="utf-8")

    def add(self, counts: Mapping[str, int]) -> None:
        self.counts.update(counts)

    def scratch(self, name: str) -> Path:
        """A local folder for intermediate files; it goes when the stage ends."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, done: float, total: float, unit: str, note: str = "") -> None:
        """Tell followers how far the work is (cheap: written at most every two seconds, logged every 30 s)."""
        now = time.monotonic()
        if now >= self._next_log:
            log.info("%s: %.0f of %.0f %s%s", self.what, done, total, unit, f", {note}" if note else "")
            self._next_log = now + LOG_EVERY_S
        if now >= self._next_progress:
            record = {"done": done, "total": total, "unit": unit}
            self.store.put(f"{self.prefix}/{PROGRESS_NAME}", json.dumps(record).encode())
            self._next_progress = now + PROGRESS_EVERY_S

    def state(self, appended: Collection[str] = ()) -> State:
        """A folder that outlives a kill: what an earlier attempt kept in it is there again.

        One attempt at a time has it; another living one is waited for.  `appended` names the files that are changed
        where they stand; all others are written aside and renamed.  Raises UnitFinished, HeldElsewhere.
        """
        lease = self.own()
        prefix = f"{self.prefix}/{STATE_NAME}"
        return open_state(self.store, prefix, self.scratch(STATE_NAME), lease, appended)

    def own(self) -> Lease:
        """Become the one attempt that works on the unit, without a folder.  Raises UnitFinished, HeldElsewhere."""
        began = time.monotonic()
        self._lease = lease = Lease(self.store, self.prefix, self.attempt, self.what, self.lease_times)
        if not lease.take(self._is_finished):
            raise UnitFinished
        if self._is_finished():
            lease.finish()
            raise UnitFinished
        self._waited_s = time.monotonic() - began
        return lease

    def was_overtaken(self) -> bool:
        """Whether another attempt took this one's state and has finished the unit."""
        lease = self._lease
        if lease is None or not lease.generation:
            return False
        try:
            return (lease.is_lost or not lease.owns()) and self._is_finished()
        except (FactoryError, OSError):
            return False

    def close(self) -> None:
        """Let the next attempt have the state at once."""
        if self._lease is not None:
            self._lease.release()

    def _is_finished(self) -> bool:
        return self.store.exists(f"{self.prefix}/{MANIFEST_NAME}")

    @contextmanager
    def timed(self) -> Iterator[None]:
        wall, cpu = time.monotonic(), _cpu_seconds()
        yield
        self.seconds, self.cpu_seconds = time.monotonic() - wall - self._waited_s, _cpu_seconds() - cpu

    def check_counts(self) -> None:
        """documents_in == documents_kept + all that was dropped.  Raises UnbalancedCounts or EmptyOutput."""
        if "documents_in" not in self.counts:
            return
        dropped = {name: n for name, n in self.counts.items() if name.startswith("dropped_")}
        came, kept = self.counts["documents_in"], self.counts["documents_kept"]
        if came != kept + sum(dropped.values()):
            raise UnbalancedCounts(f"{self.what}: {came} documents in, {kept} kept, {sum(dropped.values())} dropped")
        if came and not kept and not any(dropped.get(reason) for reason in ASKED_FOR):
            reasons = ", ".join(f"{name.removeprefix('dropped_')} {n}" for name, n in sorted(dropped.items()))
            raise EmptyOutput(f"{self.what}: all {came} documents were dropped ({reasons}): look at the settings")

    def commit(self, made_by: Provenance) -> Manifest:
        """Publish the files, then the manifest.  If another attempt won, its manifest stands."""
        self.check_counts()
        if self._lease is not None:
            self._lease.confirm()
        key = f"{self.prefix}/{MANIFEST_NAME}"
        if self.store.exists(key):  # what it lists must stay as it is, also where keys are shared (`publish_at`)
            return self._lose(key)
        manifest = Manifest(
            stage=made_by.stage,
            version=made_by.version,
            unit=self.unit,
            fingerprint=self.prefix.rsplit("/", 1)[1],
            config=dict(made_by.config),
            inputs=made_by.inputs,
            artifacts=tuple(self._publish()),
            counts=dict(sorted(self.counts.items())),
            seconds=round(self.seconds, 3),
            cpu_seconds=round(self.cpu_seconds, 3),
            attempt=self.attempt,
            written_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            code_version=code_version(),
            library_versions=library_versions(made_by.packages),
            shared=made_by.shared,
            hardware=self.hardware,
        )
        if not self.store.put_if_absent(key, manifest.to_json()):
            self.store.delete_folder(f"{self.prefix}/{self.attempt}")
            return self._lose(key)
        self._clean()
        log.info("%s: %s in %.1f s", self.what, _amounts(self.counts), self.seconds)
        return manifest

    def _lose(self, key: str) -> Manifest:
        log.info("%s: another attempt finished first: its manifest is kept", self.what)
        self._clean()
        return self.store.manifest(key)

    def _clean(self) -> None:
        """The manifest stands: what only attempts need goes."""
        self.store.delete(f"{self.prefix}/{PROGRESS_NAME}")
        if self._lease is not None:
            self._lease.finish()
            self._lease = None
            self.store.delete_folder(f"{self.prefix}/{STATE_NAME}")

    def _publish(self) -> Iterator[Artifact]:
        yield from self._reused
        made = self.folder / "artifacts"
        for path in sorted(p for p in made.rglob("*") if p.is_file()) if made.is_dir() else ():
            name = path.relative_to(made).as_posix()
            key = self._places.get(name, f"{self.prefix}/{self.attempt}/{name}")
            artifact = Artifact(name=name, key=key, size_bytes=path.stat().st_size, sha256=sha256_of(path))
            self.store.upload(path, key)
            yield artifact


def _amounts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())[:8]) or "done"


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@cache
def code_version() -> str:
    """The package's version and, in a checkout, the commit."""
    try:
        package = version("xlmr-factory")
    except PackageNotFoundError:
        package = "not installed"
    head = Path(__file__).resolve().parent.parent / ".git"
    commit = _commit(head) if head.is_dir() else ""
    return f"{package}+{commit[:12]}" if commit else package


def _commit(git: Path) -> str:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    loose = git / name
    if loose.is_file():
        return loose.read_text().strip()
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")


def library_versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    found["python"] = platform.python_version()
    return dict(sorted(found.items()))
