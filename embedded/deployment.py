"""The deployment file of one machine, var/deployment.json: where the inputs and the store lie, and small sizes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from embedded.inputs import Inputs
from pipeline.deployment import Deployment
from pipeline.runs import END_TO_END, RUNS

# What suits two cores and a crawl of some thousand pages; everything else is each setting's own default.
SMALL: dict[str, Any] = {
    "slices": 2,
    "dedup_ranges": 1,
    "part_gib": 10_000,
    "missing_models": "wait",
    "vocabulary_size": 8_000,
    "sample_characters": 8_000_000,
    "model": "tiny",
    "steps": 400,
    "processes": 2,
}

MOST_TASKS = 6  # of a stage: starting one takes seconds, and two run at a time
COLLECTION_INFO = "collinfo.json"
FILE = "deployment.json"  # in the folder of all that a run makes


def make_deployment(inputs: Inputs, store: str, var: Path, settings: Mapping[str, Any]) -> Deployment:
    """`settings` are the forms' defaults beyond SMALL.  Raises BadConfig."""
    known = SMALL | inputs.settings | dict(settings)
    known["crawl"] = known["dumps"][-1]
    defaults = {
        name: {field: value for field, value in known.items() if field in run.settings.model_fields}
        for name, run in RUNS.items()
    }
    END_TO_END.settings.parse(defaults[END_TO_END.name] | dict(settings))  # names an unknown setting
    for name, run in RUNS.items():
        run.settings.parse(defaults[name])
    places = inputs.places | {"store": store, "crawl_list": str((var / "crawls.json").resolve())}
    deployment = Deployment.parse(
        {"most_tasks": MOST_TASKS} | _written_by_people(var) | places | {"defaults": defaults}
    )
    recorded = Path(unquote(urlsplit(deployment.source).path)) / COLLECTION_INFO
    if deployment.source.startswith("file:") and recorded.is_file():
        deployment = deployment.model_copy(update={"collection_info": recorded.as_uri()})
        shutil.copyfile(recorded, deployment.crawl_list)
    return deployment


def _written_by_people(var: Path) -> dict[str, Any]:
    """Entries of the file that stands which are not made here (alerts, filters, …): they stay."""
    path = var / FILE
    return Deployment.load(path).model_dump(exclude={"digests", "defaults", "collection_info"}) if path.exists() else {}


def write_deployment(deployment: Deployment, path: Path) -> None:
    text = json.dumps(deployment.model_dump(mode="json"), indent=1, sort_keys=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text + "\n", encoding="utf-8")
    os.replace(aside, path)
