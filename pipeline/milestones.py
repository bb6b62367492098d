"""Checkpoints at given updates of a pretraining that goes on: each a checkpoint NAME@UPDATE that can be evaluated."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import Field

from pipeline.draft import Draft
from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.run_folder import RunFolder
from pipeline.stage import Inputs, StageConfig
from pipeline.stages.export import STAGE as EXPORT
from pipeline.stages.export import write_folder

log = logging.getLogger(__name__)


class MilestoneConfig(StageConfig):
    update: int = Field(ge=1, description="updates that the weights have had")
    pretraining: str = Field(description="fingerprint of the pretraining run that they are of")


class Milestones:
    """The weights that a run leaves in its folder, published as they come, told, and removed there.

    A run that went on from an earlier checkpoint leaves them again: they are published already, and only removed.
    """

    def __init__(self, inputs: Inputs, draft: Draft, folder: RunFolder) -> None:
        self.store, self.unit, self.folder, self.tell = draft.store, draft.unit, folder, draft.on_milestone
        self.keys = [manifest.key for found in inputs.manifests.values() for manifest in found]
        _, _, self.fingerprint = parse_key(f"{draft.prefix}/{MANIFEST_NAME}")

    def publish(self) -> None:
        for update in self.folder.milestones():
            config = MilestoneConfig(update=update, pretraining=self.fingerprint)
            body: Any = partial(_export, self.folder)
            stage = replace(EXPORT, config=MilestoneConfig, body=body, needs={}, builds_on={})
            name = f"{self.unit}@{update}"
            uri = stage.run(config, self.keys, self.store, name)
            log.info("milestone %s: %s", name, uri)
            if self.tell is not None:
                self.tell(name)
            self.folder.remove_milestone(update)


def _export(folder: RunFolder, config: MilestoneConfig, inputs: Inputs, draft: Draft) -> None:
    write_folder(folder.weights(config.update, draft.scratch("weights")), inputs, draft)
