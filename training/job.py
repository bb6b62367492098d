"""The job file: one pretraining run for any launcher, as JSON: what to train, from what, to where, on what nodes."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from training.storage import fetch, local_path

PLACES = ("vocabulary", "blocks", "start_from", "output", "state")  # settings that the job's other entries give


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its URI.  `sha256` "": not known, not checked."""

    uri: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """`settings` are those of training/settings.py but for the places of files.

    `state` is the URI of the folder with checkpoints, metrics and result: a file:// folder that all nodes have in
    common, or s3://.  `start_from` are the files of a checkpoint to go on from, by name.  `processes` are those of one
    node.  A node begins anew after a lost process or node at most `restarts` times, and waits `join_timeout_s` seconds
    for the others each time.
    """

    name: str
    settings: dict[str, Any]
    vocabulary: Source
    blocks: dict[str, tuple[Source, ...]]
    state: str
    nodes: int = 1
    processes: int = 1
    restarts: int = 0
    join_timeout_s: float = 600.0
    start_from: dict[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.processes < 1 or self.restarts < 0 or self.join_timeout_s <= 0:
            raise ValueError(
                f"job {self.name}: {self.nodes} nodes, {self.processes} processes, {self.restarts} restarts, "
                f"join_timeout_s {self.join_timeout_s}: wanted 1 or more, 1 or more, 0 or more, above 0"
            )
        if taken := sorted(set(self.settings) & set(PLACES)):
            raise ValueError(f"job {self.name}: settings has {', '.join(taken)}: these are entries of the job itself")

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str, where: str) -> TrainingJob:
        """Raises ValueError with one line."""
        try:
            values = json.loads(text)
            known = {one.name for one in fields(cls)}
            if unknown := sorted(set(values) - known):
                raise ValueError(f"unknown entries {', '.join(unknown)}; there are {', '.join(sorted(known))}")
            values["vocabulary"] = Source(**values["vocabulary"])
            values["blocks"] = {name: tuple(Source(**one) for one in many) for name, many in values["blocks"].items()}
            values["start_from"] = {name: Source(**one) for name, one in values.get("start_from", {}).items()}
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{where}: {error}: wanted a job file (docs/training.md)") from error

    def settings_here(self, work: Path) -> dict[str, Any]:
        """The settings file of `python -m training pretrain` on this node; brings what is not here into `work`."""
        inputs = work / "inputs"
        state = local_path(self.state)
        output = work / "run" if state is None else state
        places = {
            "vocabulary": str(fetch(self.vocabulary.uri, self.vocabulary.sha256, inputs)),
            "blocks": {
                language: [str(fetch(one.uri, one.sha256, inputs)) for one in sources]
                for language, sources in self.blocks.items()
            },
            "start_from": str(self._checkpoint(work)) if self.start_from else "",
            "output": str(output),
            "state": self.state if state is None else "",
        }
        return {"events": str(output / "events")} | self.settings | places

    def _checkpoint(self, work: Path) -> Path:
        """The files to go on from under their names in one folder, as links."""
        folder = work / "start"
        shutil.rmtree(folder, ignore_errors=True)
        for name, one in self.start_from.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(fetch(one.uri, one.sha256, work / "inputs").resolve())
        return folder
