"""Where a body writes: files aside, counts that must add up, state that outlives a kill; then one commit."""

from __future__ import annotations

import json
import logging
import platform
import resource
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import EmptyOutput, UnbalancedCounts
from pipeline.manifest import MANIFEST_NAME, Artifact, Manifest
from pipeline.state import State
from pipeline.store import ArtifactStore, sha256_of

if TYPE_CHECKING:
    from pipeline.stage import Stage, StageConfig

log = logging.getLogger(__name__)

PROGRESS_NAME = "progress.json"
STATE_NAME = "state"
PROGRESS_EVERY_S = 2.0
LOG_EVERY_S = 30.0


class Draft:
    """What a body has made so far.  Nothing in it is visible to readers before `commit`."""

    def __init__(self, store: ArtifactStore, prefix: str, folder: Path, stage: str, unit: str) -> None:
        self.store = store
        self.prefix = prefix
        self.folder = folder
        self.unit = unit
        self.what = f"{stage} {unit}"
        self.attempt = uuid.uuid4().hex[:12]
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0
        self.cpu_seconds = 0.0
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

    def progress(self, done: float, total: float, unit: str) -> None:
        """Tell followers how far the work is (cheap: written at most every two seconds)."""
        now = time.monotonic()
        if now >= self._next_log:
            log.info("%s: %.0f of %.0f %s", self.what, done, total, unit)
            self._next_log = now + LOG_EVERY_S
        if now >= self._next_progress:
            record = {"done": done, "total": total, "unit": unit}
            self.store.put(f"{self.prefix}/{PROGRESS_NAME}", json.dumps(record).encode())
            self._next_progress = now + PROGRESS_EVERY_S

    def state(self) -> State:
        """A folder that outlives a kill: what an earlier attempt kept in it is there again."""
        return State(self.store, f"{self.prefix}/{STATE_NAME}", self.scratch(STATE_NAME))

    @contextmanager
    def timed(self) -> Iterator[None]:
        wall, cpu = time.monotonic(), _cpu_seconds()
        yield
        self.seconds, self.cpu_seconds = time.monotonic() - wall, _cpu_seconds() - cpu

    def check_counts(self) -> None:
        """documents_in == documents_kept + all that was dropped.  Raises UnbalancedCounts or EmptyOutput."""
        if "documents_in" not in self.counts:
            return
        dropped = {name: n for name, n in self.counts.items() if name.startswith("dropped_")}
        came, kept = self.counts["documents_in"], self.counts["documents_kept"]
        if came != kept + sum(dropped.values()):
            raise UnbalancedCounts(f"{self.what}: {came} documents in, {kept} kept, {sum(dropped.values())} dropped")
        if came and not kept:
            reasons = ", ".join(f"{name.removeprefix('dropped_')} {n}" for name, n in sorted(dropped.items()))
            raise EmptyOutput(f"{self.what}: all {came} documents were dropped ({reasons}): look at the settings")

    def commit(self, stage: Stage, config: StageConfig, unit: str, inputs: tuple[str, ...]) -> Manifest:
        """Publish the files, then the manifest.  If another attempt won, its manifest stands."""
        self.check_counts()
        key = f"{self.prefix}/{MANIFEST_NAME}"
        if self.store.exists(key):  # what it lists must stay as it is, also where keys are shared (`publish_at`)
            log.info("%s: another attempt was first; its manifest stands", self.what)
            return self.store.manifest(key)
        manifest = Manifest(
            stage=stage.name,
            version=stage.version,
            unit=unit,
            fingerprint=self.prefix.rsplit("/", 1)[1],
            config=config.model_dump(mode="json"),
            inputs=inputs,
            artifacts=tuple(self._publish()),
            counts=dict(sorted(self.counts.items())),
            seconds=round(self.seconds, 3),
            cpu_seconds=round(self.cpu_seconds, 3),
            attempt=self.attempt,
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
            code_version=code_version(),
            library_versions=library_versions(stage.packages),
        )
        if not self.store.put_if_absent(key, manifest.to_json()):
            log.info("%s: another attempt was first; its manifest stands", self.what)
        for left in [f"{self.prefix}/{PROGRESS_NAME}", *self.store.list(f"{self.prefix}/{STATE_NAME}/")]:
            self.store.delete(left)
        log.info("%s: %s in %.1f s", self.what, _amounts(self.counts), self.seconds)
        return manifest

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
