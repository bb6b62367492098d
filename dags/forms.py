"""The trigger form of a run: its settings with their bounds, in sections; rare ones in a section of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Param

from ccnet.languages import LANGUAGES
from dags.installation import CRAWLS, DEPLOYMENT
from pipeline.json_file import read_json_object
from pipeline.runs import Run

RARE = "More settings"
SPEC = "spec"  # of a release: a file of the deployment that names languages and dumps
# Lists whose entries are chosen among known ones.
KNOWN = {"languages": sorted(LANGUAGES), "dumps": list(reversed(CRAWLS))}


def form(run: Run) -> dict[str, Param]:
    """Every field of the run's settings.

    The run's first section has no name of its own here: Airflow shows such fields open, and named sections closed.  A
    field that may stay empty takes null: the form would hold an empty text for a missing one, and refuse to start.
    """
    fields = run.settings.model_json_schema()["properties"]
    defaults = DEPLOYMENT.defaults.get(run.name, {})
    chosen = [(section, name) for section, names in run.form.items() for name in names]
    rare = [(RARE, name) for name in sorted(fields) if name not in {name for _, name in chosen}]
    first = next(iter(run.form))
    found = {
        name: _param(name, "" if section == first else section, fields[name], defaults)
        for section, name in (*chosen, *rare)
    }
    if run.name == "release":
        found = {SPEC: _spec_param()} | found
    return found


def given(run: Run, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a form as settings; what stayed empty is left to the setting's default."""
    values = {name: value for name, value in params.items() if value is not None and name != SPEC}
    if run.name == "release" and params.get(SPEC):
        values |= read_spec(str(params[SPEC]))
    return values


def read_spec(name: str) -> dict[str, Any]:
    """The settings of a release in a file of the deployment's folder; what belongs to other runs is left."""
    from pipeline.runs import RELEASE

    values = read_json_object(Path(DEPLOYMENT.release_specs) / f"{name}.json", "settings")
    return {field: value for field, value in values.items() if field in RELEASE.settings.model_fields}


def specs() -> list[str]:
    return sorted(path.stem for path in Path(DEPLOYMENT.release_specs).glob("*.json"))


def _spec_param() -> Param:
    return Param(
        None, type=["null", "string"], enum=[None, *specs()], title="Release file", values_display={"null": "none"},
        description="a file that names languages and dumps; it replaces the fields below; empty: the fields below",
    )  # fmt: skip


def _param(name: str, section: str, schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Param:
    known = {key: value for key, value in schema.items() if key not in ("default", "title", "prefixItems")}
    default = defaults.get(name, schema.get("default"))
    if name == "crawl":
        default = default or CRAWLS[-1]
        known |= {"enum": list(reversed(CRAWLS)), "description": "the dump; a backfill runs those of its dates instead"}
        known.pop("pattern", None)
    if name == "dumps" and default is None:
        default = [CRAWLS[-1]]
    if name in KNOWN:
        known |= {"items": {"type": "string", "enum": KNOWN[name]}, "examples": KNOWN[name]}
    elif "enum" in schema.get("items", {}):
        known |= {"examples": schema["items"]["enum"]}
    if default in ("", None) and known.get("type") == "string":
        known["type"] = ["null", "string"]
        default = None
    known["title"] = name.replace("_", " ").capitalize()
    if section:
        known["section"] = section
    return Param(default, **known)
