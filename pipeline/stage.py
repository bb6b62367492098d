"""The one contract: `run(stage, config, inputs, store, unit)` gives a manifest's URI.

If that manifest stands, nothing is done.  Else the body writes artifacts aside, they are published, and the
manifest is written last.  So retry, resume and backfill are one question: does the manifest exist.
"""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.draft import Draft
from pipeline.errors import BadConfig, BadInput, MissingArtifact, StoreUnavailable
from pipeline.manifest import MANIFEST_NAME, Manifest, fingerprint, manifest_key, parse_key
from pipeline.store import ArtifactStore

log = logging.getLogger(__name__)


class StageConfig(BaseModel):
    """What changes a stage's bytes, and nothing else (not workers, queues, retries)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(Enum):
    """Which units of an earlier stage a unit reads.  A plain string in `needs` names the one unit."""

    SAME_UNIT = "the same unit"
    SAME_CRAWL = "all slices of the same crawl"
    DUMPS_SO_FAR = "all slices of this dump and those with earlier ids"
    ALL = "all units"


@dataclass(frozen=True)
class Inputs:
    """The manifests that a body reads, by stage, and their artifacts as checked local files."""

    manifests: Mapping[str, tuple[Manifest, ...]]
    store: ArtifactStore

    def of(self, stage: str) -> tuple[Manifest, ...]:
        """The stage's manifests, sorted by unit."""
        return self.manifests.get(stage, ())

    def one(self, stage: str) -> Manifest:
        """The only manifest of that stage.  Raises MissingArtifact if there is none or more than one."""
        found = self.of(stage)
        if len(found) != 1:
            raise MissingArtifact(f"{len(found)} manifests of stage {stage!r} came in, one was wanted: pass its URI")
        return found[0]

    def named(self, stage: str, unit: str) -> Manifest:
        for manifest in self.of(stage):
            if manifest.unit == unit:
                return manifest
        raise MissingArtifact(f"no manifest of {stage!r} for {unit!r} came in: run `xlmr run {stage}` for it first")

    def path(self, manifest: Manifest, name: str) -> Path:
        """A checked local path of one artifact."""
        return self.store.open(manifest.artifact(name))

    def paths(self, manifest: Manifest) -> dict[str, Path]:
        return {artifact.name: self.store.open(artifact) for artifact in manifest.artifacts}

    def folder(self, manifest: Manifest, target: Path, prefix: str = "") -> Path:
        """The artifacts whose names begin with `prefix`, under their names in a local folder (as links)."""
        for artifact in manifest.artifacts:
            if artifact.name.startswith(prefix):
                place = target / artifact.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(self.store.open(artifact).resolve())
        return target


Body = Callable[[Any, Inputs, Draft], None]
Need = Match | str | tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A verb of the walk.

    `version` is raised when the same config would give other bytes.  `needs` says which units of which earlier
    stages one unit reads, where need be as a function of the config; `optional` stages may be absent.
    """

    name: str
    version: int
    config: type[StageConfig]
    body: Body
    needs: Mapping[str, Need | Callable[[Any], Need]] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()  # libraries whose versions the manifest records

    def parse(self, config: StageConfig | Mapping[str, Any]) -> StageConfig:
        """Check a config.  Raises BadConfig with one line a fault."""
        if isinstance(config, self.config):
            return config
        if isinstance(config, StageConfig):
            config = config.model_dump()
        try:
            return self.config.model_validate(config)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise BadConfig(f"stage {self.name}: {faults}") from error

    def choose(self, config: StageConfig, unit: str, keys: Iterable[str]) -> tuple[str, ...]:
        """Of these manifest keys, those that `unit` reads, sorted."""
        return tuple(sorted(key for key in set(keys) if self._reads(config, unit, *parse_key(key)[:2])))

    def _need(self, config: StageConfig, stage: str) -> Need | None:
        need = self.needs.get(stage)
        return need(config) if callable(need) else need

    def _reads(self, config: StageConfig, unit: str, stage: str, other: str) -> bool:
        match self._need(config, stage):
            case Match.SAME_UNIT:
                return other == unit
            case Match.SAME_CRAWL:
                return other.split("/")[0] == unit.split("/")[0]
            case Match.DUMPS_SO_FAR:
                return other.split("/")[0] <= unit.split("/")[0]
            case Match.ALL:
                return True
            case tuple(names):
                return other in names
            case named:
                return other == named

    def key(self, config: StageConfig, unit: str, inputs: Sequence[str]) -> str:
        """The key of the manifest that this work leaves."""
        mark = fingerprint(self.name, self.version, unit, config.model_dump(mode="json"), tuple(inputs))
        return manifest_key(self.name, unit, mark)

    def run(
        self,
        config: StageConfig | Mapping[str, Any],
        inputs: Iterable[str],
        store: ArtifactStore,
        unit: str,
    ) -> str:
        """Do the work unless it is done.  `inputs` are URIs or keys; those the unit does not read are passed over.

        Returns the manifest's URI.  Raises FactoryError; on any error nothing is published under the manifest.
        """
        parsed = self.parse(config)
        chosen = self.choose(parsed, unit, (store.key(uri) for uri in inputs))
        key = self.key(parsed, unit, chosen)
        if store.exists(key):
            log.info("%s %s: already there", self.name, unit)
            return store.uri(key)
        loaded = self._load(parsed, unit, chosen, store)
        folder = store.scratch()
        draft = Draft(store, key.removesuffix(f"/{MANIFEST_NAME}"), folder, self.name, unit)
        try:
            with draft.timed():
                self.body(parsed, loaded, draft)
            draft.commit(self, parsed, unit, chosen)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise StoreUnavailable("the disk is full: free some and run it again") from error
        except ValueError as error:  # the wings' own: the same call gives the same answer
            raise BadInput(str(error)) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return store.uri(key)

    def _load(self, config: StageConfig, unit: str, keys: Sequence[str], store: ArtifactStore) -> Inputs:
        manifests: dict[str, list[Manifest]] = {}
        for key in keys:
            manifest = store.manifest(key)
            manifests.setdefault(manifest.stage, []).append(manifest)
        for stage in self.needs:
            if stage not in manifests and stage not in self.optional:
                match = self._need(config, stage)
                wanted = match.value if isinstance(match, Match) else match
                raise MissingArtifact(f"{self.name} {unit} reads {wanted} of {stage}: no such manifest came in")
        ordered = {stage: tuple(sorted(found, key=lambda m: m.unit)) for stage, found in manifests.items()}
        return Inputs(ordered, store)
