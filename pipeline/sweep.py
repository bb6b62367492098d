"""Remove what killed attempts and finished units left behind, and nothing that a living attempt needs.

A finished unit keeps its manifest and what that lists.  An unfinished one keeps its state, from which the next
attempt goes on.  An attempt is taken for living while its process runs (where this machine can tell), or while
anything of it changed within `older_than_s`, by the store's clock.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import FactoryError, StoreRefused
from pipeline.lease import LEASE_NAME, STATE_NAME, is_owned
from pipeline.manifest import MANIFEST_NAME
from pipeline.process_identity import ProcessIdentity
from pipeline.store import ArtifactStore, Entry, FileStore, unit_prefix
from pipeline.store.disk import ATTEMPT_NAME, OWNER_NAME

log = logging.getLogger(__name__)

DAY_S = 86_400.0
ATTEMPT = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Removed:
    """How much of one kind went."""

    items: int = 0
    size_bytes: int = 0

    def plus(self, entries: Iterable[Entry]) -> Removed:
        sizes = [entry.size_bytes for entry in entries]
        return Removed(self.items + bool(sizes), self.size_bytes + sum(sizes))


@dataclass
class Swept:
    """What a sweep removed, by kind, and the unfinished state that it kept."""

    scratch: Removed = field(default_factory=Removed)  # folders of ended processes
    states: Removed = field(default_factory=Removed)  # state and leases of units
    attempts: Removed = field(default_factory=Removed)  # files of attempts that lost or were killed
    aside: Removed = field(default_factory=Removed)  # files of writes that did not end
    kept_states: Removed = field(default_factory=Removed)  # of unfinished units: the next attempt goes on from them

    @property
    def size_bytes(self) -> int:
        return sum(kind.size_bytes for kind in (self.scratch, self.states, self.attempts, self.aside))

    def __str__(self) -> str:
        kinds = {"scratch folders": self.scratch, "states": self.states, "attempts": self.attempts,
                 "unfinished writes": self.aside}  # fmt: skip
        told = ", ".join(f"{kind.items} {name} ({_mebibytes(kind)})" for name, kind in kinds.items() if kind.items)
        kept = self.kept_states
        left = f"; kept {kept.items} states of unfinished units ({_mebibytes(kept)})" if kept.items else ""
        return f"removed {told or 'nothing'}{left}"


def sweep(store: ArtifactStore, *, older_than_s: float = DAY_S) -> Swept:
    """Clean the whole store.  Raises FactoryError where the store cannot be read.

    `older_than_s` should be longer than the upload of the largest file: an attempt on another machine shows no
    other sign of life while it sends one.
    """
    swept = Swept(scratch=sweep_scratch(store, older_than_s=older_than_s))
    living = frozenset(_living_attempts(store))
    before = store.now() - older_than_s
    units: dict[str, list[Entry]] = {}
    try:
        for entry in store.remove_unfinished_writes(before):
            swept.aside = swept.aside.plus([entry])
    except StoreRefused as error:  # a server that cannot list uploads in parts, or does not allow it
        log.warning("unfinished writes were not looked for: %s", error)
    for entry in store.entries(""):
        prefix = unit_prefix(entry.key)
        if prefix:
            units.setdefault(prefix, []).append(entry)
    for prefix, entries in units.items():
        if not any(entry.key.removeprefix(f"{prefix}/").partition("/")[0] in living for entry in entries):
            _sweep_unit(store, prefix, entries, before, swept)
    return swept


def sweep_scratch(store: ArtifactStore, *, older_than_s: float | None = None) -> Removed:
    """Remove the scratch folders of ended processes of this machine: cheap, for the start of a run.

    With `older_than_s` also those whose process cannot be known and in which nothing changed for so long.
    """
    removed = Removed()
    before = None
    if older_than_s is not None:
        now = store.now() if isinstance(store, FileStore) else time.time()
        before = now - older_than_s
    for folder in store.scratch_folders():
        owner = _owner(folder)
        if owner is not None and owner.has_ended():
            gone = True
        else:
            is_ours = owner is not None and owner.is_of_this_machine()
            gone = not is_ours and before is not None and _newest(folder) < before
        if gone:
            size = sum(found.st_size for found in _stats(folder) if not stat.S_ISDIR(found.st_mode))
            shutil.rmtree(folder, ignore_errors=True)
            removed = Removed(removed.items + 1, removed.size_bytes + size)
            log.info("%s: removed, its process has ended", folder)
    return removed


def _sweep_unit(store: ArtifactStore, prefix: str, entries: Sequence[Entry], before: float, swept: Swept) -> None:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.key.removeprefix(f"{prefix}/").partition("/")[0], []).append(entry)
    working = [*groups.get(STATE_NAME, ()), *groups.get(LEASE_NAME, ())]
    if MANIFEST_NAME in groups:
        try:
            listed = {artifact.key for artifact in store.manifest(f"{prefix}/{MANIFEST_NAME}").artifacts}
        except FactoryError as error:  # a broken manifest: its unit is looked at by a person
            log.warning("%s", error)
            return
        if working and _is_older(working, before):
            store.delete_folder(f"{prefix}/{STATE_NAME}")
            store.delete_folder(f"{prefix}/{LEASE_NAME}")
            swept.states = swept.states.plus(working)
        _sweep_attempts(store, prefix, groups, listed, before, swept)
        return
    if not _is_older(entries, before) or store.exists(f"{prefix}/{MANIFEST_NAME}") or is_owned(store, prefix):
        return
    _sweep_attempts(store, prefix, groups, set(), before, swept)
    leases = groups.get(LEASE_NAME, [])
    if leases:
        store.delete_folder(f"{prefix}/{LEASE_NAME}")
        swept.states = swept.states.plus(leases)
    swept.kept_states = swept.kept_states.plus(groups.get(STATE_NAME, ()))


def _sweep_attempts(
    store: ArtifactStore, prefix: str, groups: dict[str, list[Entry]], listed: set[str], before: float, swept: Swept
) -> None:
    for name, entries in groups.items():
        if ATTEMPT.fullmatch(name) and _is_older(entries, before) and not any(e.key in listed for e in entries):
            store.delete_folder(f"{prefix}/{name}")
            swept.attempts = swept.attempts.plus(entries)


def _living_attempts(store: ArtifactStore) -> Iterator[str]:
    """The attempts whose scratch folder stands: those of ended processes are removed by now."""
    for folder in store.scratch_folders():
        with suppress(FileNotFoundError):
            yield (folder / ATTEMPT_NAME).read_text()


def _is_older(entries: Iterable[Entry], before: float) -> bool:
    return all(entry.modified < before for entry in entries)


def _owner(folder: Path) -> ProcessIdentity | None:
    try:
        return ProcessIdentity.from_json((folder / OWNER_NAME).read_text())
    except OSError:
        return None


def _newest(folder: Path) -> float:
    return max((found.st_mtime for found in _stats(folder)), default=float("inf"))


def _stats(folder: Path) -> Iterator[os.stat_result]:
    """Of the folder and all below it; without what another process removes meanwhile."""
    for above, _, files in os.walk(folder):
        for name in (".", *files):
            with suppress(FileNotFoundError):
                yield Path(above, name).lstat()


def _mebibytes(kind: Removed) -> str:
    return f"{kind.size_bytes / 2**20:,.1f} MiB"
