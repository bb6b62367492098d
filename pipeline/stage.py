"""The one contract: `run(stage, config, inputs, store, unit)` gives a manifest's URI.

If that manifest stands, nothing is done.  Else the body writes artifacts aside, they are published, and the
manifest is written last.  So retry, resume and backfill are one question: does the manifest exist.
"""

from __future__ import annotations

import dis
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from pipeline.current import set_current
from pipeline.draft import Draft, Provenance, UnitFinished
from pipeline.errors import BadConfig, BadInput, FactoryError, MissingArtifact
from pipeline.launchers.settings import Launcher, Processes
from pipeline.manifest import MANIFEST_NAME, Artifact, Manifest, fingerprint, manifest_key
from pipeline.needs import Need
from pipeline.store import ArtifactStore
from pipeline.store.disk import store_error
from pipeline.sweep import sweep_scratch
from training.settings import MAX_NUMBER

log = logging.getLogger(__name__)

LIBRARIES = ("ccnet", "training", "evaluation")  # whose own ValueErrors are about the input


class StageConfig(BaseModel):
    """What changes a stage's bytes, and nothing else (not workers, queues, retries)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _number_is_one(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic takes true for 1, and whole numbers that no float and no array can hold."""
        if cls.model_fields[info.field_name or ""].annotation in (int, float):
            if isinstance(value, bool):
                raise ValueError(f"{str(value).lower()}: wanted a number")
            if isinstance(value, int) and abs(value) > MAX_NUMBER:
                raise ValueError(f"a number of {len(str(abs(value)))} digits: wanted one up to {MAX_NUMBER}")
        return value


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
            raise MissingArtifact(
                f"{len(found)} manifests of stage {stage!r} among the inputs, one was wanted: pass its URI"
            )
        return found[0]

    def named(self, stage: str, unit: str) -> Manifest:
        for manifest in self.of(stage):
            if manifest.unit == unit:
                return manifest
        raise MissingArtifact(
            f"no manifest of {stage!r} for {unit!r} among the inputs: make it first, with --until {stage}"
        )

    def path(self, manifest: Manifest, name: str) -> Path:
        """A checked local path of one artifact."""
        return self._open(manifest, manifest.artifact(name))

    def paths(self, manifest: Manifest) -> dict[str, Path]:
        return {artifact.name: self._open(manifest, artifact) for artifact in manifest.artifacts}

    def folder(self, manifest: Manifest, target: Path, prefix: str = "") -> Path:
        """The artifacts whose names begin with `prefix`, under their names in a local folder (as links)."""
        for artifact in manifest.artifacts:
            if artifact.name.startswith(prefix):
                place = target / artifact.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(self._open(manifest, artifact).resolve())
        return target

    def _open(self, manifest: Manifest, artifact: Artifact) -> Path:
        if manifest.shared:
            return self.store.open_shared(artifact)
        return self.store.open(artifact)


Body = Callable[[Any, Inputs, Draft], None]


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    `version` is raised when the same config would give other bytes.  `needs` says, for each earlier stage, which of
    its units one unit reads; `optional` stages may be absent; `builds_on` as `needs`, of manifests that earlier runs
    made and this one names, if it does.  `current` is the kind of pointer that the newest run
    of a unit sets (pipeline/current.py), "" for none.
    """

    name: str
    version: int
    config: type[StageConfig]
    body: Body
    needs: Mapping[str, Need] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    builds_on: Mapping[str, Need] = field(default_factory=dict)
    packages: tuple[str, ...] = ()  # libraries whose versions the manifest records
    current: str = ""
    finished: Callable[[ArtifactStore, str], None] | None = None  # called with the key of each manifest that stands
    shared: bool = False  # many tasks read its artifacts: they are brought and checked once a machine

    def parse(self, config: StageConfig | Mapping[str, Any]) -> StageConfig:
        """Check a config.  Raises BadConfig with one line a fault."""
        if isinstance(config, self.config):
            return config
        if isinstance(config, StageConfig):
            config = config.model_dump()
        try:
            return self.config.model_validate(config)
        except ValidationError as error:
            faults = "; ".join(_fault(e["loc"], e["msg"]) for e in error.errors())
            raise BadConfig(f"stage {self.name}: {faults}") from error

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
        launcher: Launcher | None = None,
        on_milestone: Callable[[str], None] | None = None,
    ) -> str:
        """Do the work unless it is done.  `inputs` are the URIs or keys of the manifests that the unit reads;
        `launcher` says where pretraining runs (default: processes of this machine), `on_milestone` is called with the
        name of each milestone that it publishes.

        Returns the manifest's URI.  Raises FactoryError; on any error nothing is published under the manifest.
        """
        parsed = self.parse(config)
        keys = tuple(sorted({store.key(uri) for uri in inputs}))
        key = self.key(parsed, unit, keys)
        if store.exists(key):
            store.manifest(key)  # a broken one is no result
            log.info("%s %s: already there", self.name, unit)
        else:
            self._make(parsed, unit, keys, key, store, launcher or Processes(), on_milestone)
        self.register(store, unit, key)
        return store.uri(key)

    def register(self, store: ArtifactStore, unit: str, key: str) -> None:
        """Make a finished unit findable, by its name or in tables over units; again gives the same."""
        if self.current:
            set_current(store, self.current, unit, key)
        if self.finished:
            self.finished(store, key)

    def _make(
        self, config: StageConfig, unit: str, inputs: tuple[str, ...], key: str, store: ArtifactStore,
        launcher: Launcher, on_milestone: Callable[[str], None] | None,
    ) -> None:  # fmt: skip
        loaded = self._load(unit, inputs, store)
        sweep_scratch(store)
        folder = store.scratch()
        draft = Draft(store, key.removesuffix(f"/{MANIFEST_NAME}"), folder, self.name, unit)
        draft.launcher = launcher
        draft.on_milestone = on_milestone
        try:
            with draft.timed():
                self.body(config, loaded, draft)
            settings = config.model_dump(mode="json")
            draft.commit(Provenance(self.name, self.version, settings, inputs, self.packages, self.shared))
        except UnitFinished:
            log.info("%s %s: another attempt has finished it", self.name, unit)
        except Exception as error:
            if not draft.was_overtaken():
                told = _told(error, draft.what, folder)
                if told is error:
                    raise
                raise told from error
            log.info("%s %s: another attempt took over and has finished it", self.name, unit)
        finally:
            draft.close()
            shutil.rmtree(folder, ignore_errors=True)

    def _load(self, unit: str, keys: Sequence[str], store: ArtifactStore) -> Inputs:
        manifests: dict[str, list[Manifest]] = {}
        for key in keys:
            manifest = store.manifest(key)
            manifests.setdefault(manifest.stage, []).append(manifest)
        missing = sorted(set(self.needs) - set(manifests) - self.optional)
        if missing:
            raise MissingArtifact(f"{self.name} {unit} reads {', '.join(missing)}: no such manifest among the inputs")
        ordered = {stage: tuple(sorted(found, key=lambda m: m.unit)) for stage, found in manifests.items()}
        return Inputs(ordered, store)


def _fault(location: tuple[int | str, ...], message: str) -> str:
    return ": ".join(filter(None, (".".join(map(str, location)), message.removeprefix("Value error, "))))


def _told(error: Exception, what: str, folder: Path) -> Exception:
    """The error as this project's, where the user can do something about it; else itself, with its traceback."""
    if isinstance(error, FactoryError):
        return error
    if isinstance(error, OSError):
        return store_error(error, str(error.filename or folder.parent)) or error
    if isinstance(error, ValueError) and _is_about_input(error):
        return BadInput(str(error))
    error.add_note(f"{what}: this is a fault of the program, not of its settings or input")
    return error


def _is_about_input(error: ValueError) -> bool:
    """Whether our libraries said it: an error class of theirs, or a `raise` of theirs, not a call that failed."""
    if type(error).__module__.split(".")[0] in LIBRARIES:
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code.co_code
    raised = dis.opname[code[trace.tb_lasti]] == "RAISE_VARARGS"
    return raised and str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0] in LIBRARIES
