"""Where the store is that the pages read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.deployment import Deployment
from pipeline.deployment_file import VARIABLE
from pipeline.errors import BadConfig


def store_uri(environment: Mapping[str, str]) -> str:
    """The store of the deployment.  Raises BadConfig."""
    path = environment.get(VARIABLE, "")
    if not path:
        raise BadConfig(f"{VARIABLE} is not set: wanted the path of the deployment's JSON file")
    return Deployment.load(Path(path)).store
