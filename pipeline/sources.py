"""What `ingest` brings into the store: the inputs that the deployment names, and a checkpoint from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ccnet.languages import script_free
from pipeline.checkpoint_source import UNITS, is_outside
from pipeline.deployment import OFFICIAL, Deployment
from pipeline.needs import BENCHMARKS
from pipeline.official_files import official_source

MODEL_FILES = ("sp.model", "arpa.bin")  # of a language


def sources(place: Deployment, settings: Any, benchmarks: Sequence[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Unit of `ingest` -> its config, of everything that a run with these settings could read.

    `benchmarks` are those that the run reads.  Raises BadConfig for one whose official files cannot be downloaded.
    """
    yield "language-identifier", {"source": place.language_identifier}
    official = place.benchmark_data == OFFICIAL
    benchmark_data = place.benchmark_data if benchmarks and not official else ""
    for unit, source in (("label-map", place.label_map), ("second-identifier", place.second_identifier),
                         ("other-text", place.other_text), ("cut-offs", place.cut_offs), ("filters", place.filters),
                         (BENCHMARKS, benchmark_data)):  # fmt: skip
        if source:
            yield unit, {"source": source}
    for name in benchmarks if official else ():
        yield f"{BENCHMARKS}/{name}", {"source": official_source(name), "mirror": place.benchmark_mirror}
    checkpoint = getattr(settings, "checkpoint", "")
    if checkpoint and is_outside(checkpoint):
        yield f"{UNITS}{settings.checkpoint_name}", {"source": checkpoint}
    for language in getattr(settings, "languages", ()):
        if place.reference:
            names = (f"{language}.txt", f"{language}.txt.gz")
            yield f"reference/{language}", {"source": place.reference, "names": names, "optional": True}
        if place.language_models:
            files = {f"{code}.{name}" for code in (language, script_free(language)) for name in MODEL_FILES}
            values = {"source": place.language_models, "names": tuple(sorted(files)), "optional": True}
            yield f"language-models/{language}", values
