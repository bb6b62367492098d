"""Checkpoints at given updates of a pretraining that goes on: each a checkpoint NAME@UPDATE that can be evaluated."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.draft import Draft
from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.stage import Inputs, StageConfig
from pipeline.stages.export import STAGE as EXPORT
from pipeline.stages.export import write_folder

log = logging.getLogger(__name__)


class MilestoneConfig(StageConfig):
    update: int = Field(ge=1, description="updates that the weights have had")
    pretraining: str = Field(description="fingerprint of the pretraining run that they are of")


class Milestones:
    """The folders `step-NNNNNNNN` that a run writes, published as they come and removed."""

    def __init__(self, inputs: Inputs, draft: Draft, folder: Path) -> None:
        self.store, self.unit, self.folder = draft.store, draft.unit, folder
        self.keys = [manifest.key for found in inputs.manifests.values() for manifest in found]
        _, _, self.fingerprint = parse_key(f"{draft.prefix}/{MANIFEST_NAME}")

    def publish(self) -> None:
        for weights in sorted(self.folder.glob("step-*")):
            update = int(weights.name.removeprefix("step-"))
            config = MilestoneConfig(update=update, pretraining=self.fingerprint)
            body: Any = partial(_export, weights)
            stage = replace(EXPORT, config=MilestoneConfig, body=body, needs={}, builds_on={})
            uri = stage.run(config, self.keys, self.store, f"{self.unit}@{update}")
            log.info("milestone %s@%d: %s", self.unit, update, uri)
            shutil.rmtree(weights)


def _export(weights: Path, config: MilestoneConfig, inputs: Inputs, draft: Draft) -> None:
    write_folder(weights, inputs, draft)
