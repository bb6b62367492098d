"""What `ingest` brings into the store: the inputs that the deployment names, and a checkpoint from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ccnet.languages import script_free
from pipeline.checkpoint_source import UNITS, is_outside, name_of
from pipeline.deployment import Deployment

MODEL_FILES = ("sp.model", "arpa.bin")  # of a language


def sources(place: Deployment, settings: Any, *, benchmarks: bool) -> Iterable[tuple[str, dict[str, Any]]]:
    """Unit of `ingest` -> its config, of everything that a run with these settings could read."""
    yield "language-identifier", {"source": place.language_identifier}
    benchmark_data = place.benchmark_data if benchmarks else ""
    for unit, source in (("label-map", place.label_map), ("second-identifier", place.second_identifier),
                         ("other-text", place.other_text), ("cut-offs", place.cut_offs), ("filters", place.filters),
                         ("benchmarks", benchmark_data)):  # fmt: skip
        if source:
            yield unit, {"source": source}
    checkpoint = getattr(settings, "checkpoint", "")
    if checkpoint and is_outside(checkpoint):
        yield f"{UNITS}{name_of(checkpoint)}", {"source": checkpoint}
    for language in getattr(settings, "languages", ()):
        if place.reference:
            names = (f"{language}.txt", f"{language}.txt.gz")
            yield f"reference/{language}", {"source": place.reference, "names": names, "optional": True}
        if place.language_models:
            files = {f"{code}.{name}" for code in (language, script_free(language)) for name in MODEL_FILES}
            values = {"source": place.language_models, "names": tuple(sorted(files)), "optional": True}
            yield f"language-models/{language}", values
