"""Which entries of the removal list concern each part of a language.

`regroup` of a part has these entries in its config, so its fingerprint depends on no other entry of the list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipeline.draft import Draft
from pipeline.needs import named, parts_of_language
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.list_hosts import HOSTS
from pipeline.store import ArtifactStore

LIST = "removals"  # the unit of `ingest` that brings the list
REMOVALS = "removals.json"  # part -> entries, of the parts that have any

Removals = Mapping[str, tuple[str, ...]]


class FindRemovalsConfig(StageConfig):
    """The list belongs to the deployment."""


def find_removals(config: FindRemovalsConfig, inputs: Inputs, draft: Draft) -> None:
    import numpy as np

    from ccnet.removals import RemovalList

    listed = inputs.of("list_hosts")
    [path] = inputs.paths(inputs.named("ingest", LIST)).values()
    removals = RemovalList.read(path)
    found: dict[str, tuple[str, ...]] = {}
    for manifest in listed:
        if entries := removals.concerning(np.load(inputs.path(manifest, HOSTS))):
            found[manifest.unit] = entries
    if found:
        draft.write_json(REMOVALS, found)
    draft.add({"entries": len(removals.entries), "parts": len(listed), "parts_concerned": len(found)})


def read_found(store: ArtifactStore, key: str) -> Removals | None:
    """Part -> entries, of the manifest at this key; None where it is not made yet."""
    if not store.exists(key):
        return None
    for artifact in store.manifest(key).artifacts:
        return {part: tuple(entries) for part, entries in json.loads(store.get(artifact.key)).items()}
    return {}


STAGE = Stage(
    name="find_removals",
    version=1,
    config=FindRemovalsConfig,
    body=find_removals,
    needs={"list_hosts": parts_of_language, "ingest": named(LIST)},
    packages=("ada-url", "numpy"),
)
