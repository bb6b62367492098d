"""The record that a finished step leaves: what went in, what came out, how it was made.

A manifest is written last, so its presence says that the step is finished; its inputs are the keys of other
manifests, so it is a hash tree back to the crawl's files.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1
MANIFEST_NAME = "manifest.json"


class Artifact(BaseModel):
    """One file that a step made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="name within the manifest, e.g. part-00000.parquet")
    key: str = Field(description="where it lies, relative to the store's root")
    size_bytes: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """What one unit of one stage read and wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=SCHEMA, description="version of this record")
    stage: str
    version: int = Field(description="version of the stage: raised when its bytes change")
    unit: str = Field(description="slice, crawl, language, release, or benchmark with seed")
    fingerprint: str
    config: dict[str, Any]
    inputs: tuple[str, ...] = Field(description="keys of the manifests that were read, relative to the root")
    artifacts: tuple[Artifact, ...]
    counts: dict[str, int]
    shared: bool = Field(default=False, description="many tasks of a machine read the artifacts: they are kept there")
    seconds: float = Field(description="wall-clock time of the body, seconds")
    cpu_seconds: float = Field(default=0.0, description="processor time of the body and its children, seconds")
    attempt: str = Field(description="who wrote it; tells one's own lost reply from another writer")
    written_at: str = Field(description="ISO 8601, UTC")
    code_version: str
    library_versions: dict[str, str]
    hardware: str = Field(default="", description="what the body computed on, where it says so")

    @property
    def key(self) -> str:
        return manifest_key(self.stage, self.unit, self.fingerprint)

    def artifact(self, name: str) -> Artifact:
        """The artifact of that name.  Raises KeyError naming those there are."""
        for artifact in self.artifacts:
            if artifact.name == name:
                return artifact
        raise KeyError(f"{self.key}: no artifact {name!r}, it has {', '.join(a.name for a in self.artifacts)}")

    def to_json(self) -> bytes:
        return (json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        return cls.model_validate_json(data)


def manifest_key(stage: str, unit: str, fingerprint: str) -> str:
    return f"{stage}/{unit}/{fingerprint}/{MANIFEST_NAME}"


def parse_key(key: str) -> tuple[str, str, str]:
    """stage, unit, fingerprint of a manifest's key, e.g. fetch/CC-MAIN-2019-35/00000-of-00002/6f…/manifest.json."""
    parts = PurePosixPath(key).parts
    if len(parts) < 4 or parts[-1] != MANIFEST_NAME:
        raise ValueError(f"{key!r} is no manifest's key: wanted STAGE/UNIT/FINGERPRINT/{MANIFEST_NAME}")
    return parts[0], "/".join(parts[1:-2]), parts[-2]


def fingerprint(stage: str, version: int, unit: str, config: dict[str, Any], inputs: tuple[str, ...]) -> str:
    """16 hex digits that name a piece of work: equal exactly when its bytes have to be equal."""
    work = {"stage": stage, "version": version, "unit": unit, "config": config, "inputs": sorted(inputs)}
    return hashlib.sha256(json.dumps(work, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
