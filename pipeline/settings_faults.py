"""What is wrong with settings that came from outside, in one line, and where a setting went that is not one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

# Settings of older files -> where they went.
_PLACES = "it belongs to the deployment file (docs/operating.md)"
MOVED = dict.fromkeys(
    ("store", "source", "language_identifier", "label_map", "reference", "language_models", "cut_offs", "filters",
     "removals", "benchmark_data"), _PLACES) | dict.fromkeys(
    ("language_identifier_sha256", "label_map_sha256", "reference_sha256", "language_models_sha256", "cut_offs_sha256",
     "filters_sha256", "benchmark_data_sha256"), f"{_PLACES}, under `digests`") | {
    "crawls": "`dumps` names the dumps of a release and of end_to_end, `crawl` the one of a corpus run",
}  # fmt: skip


def told_faults(error: ValidationError, settings: type[BaseModel], runs_with: Callable[[str], Sequence[str]]) -> str:
    """All faults; of a list, those of its items and not what follows from them.  `runs_with`: the names of the runs
    that have a setting."""
    faults = error.errors()
    lists = {fault["loc"][:-1] for fault in faults if len(fault["loc"]) > 1}
    return "; ".join(_fault(fault, settings, runs_with) for fault in faults if fault["loc"] not in lists)


def _fault(fault: Any, settings: type[BaseModel], runs_with: Callable[[str], Sequence[str]]) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"{name}: must be given ({settings.model_fields[name].description})"
    if fault["type"] != "extra_forbidden":
        said = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "value_error":  # ours say what was found
            said = f"{said}, found {fault['input']!r}"
        return f"{name}: {said}" if name else said
    if name in MOVED:
        return f"{name}: no longer a setting of a run: {MOVED[name]}"
    if homes := runs_with(name):
        return f"{name}: not a setting of this run, but of {', '.join(homes)}"
    return f"{name}: no such setting; `xlmr settings` lists them"
