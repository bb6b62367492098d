"""A release whole: the files of all languages and their statistics, of which nothing is copied."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.draft import Draft
from pipeline.errors import BadInput, EmptyOutput
from pipeline.manifest import Artifact, fingerprint
from pipeline.needs import all_units, first_part
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.statistics import PRECISION, STATISTICS, language_steps, overview_counts

RELEASES = "corpus/release="  # what the keys of published files begin with
COPIES = 16  # at a time; on S3 a copy within the store takes about a second for 512 MiB


class PublishConfig(StageConfig):
    """A release is what its languages are."""


def publish(config: PublishConfig, inputs: Inputs, draft: Draft) -> None:
    """List all parts; the statistics, put beside them as _statistics.json, say that the release is whole."""
    from ccnet.stats import merge

    languages: dict[str, list[dict[str, Any]]] = {}
    parts: list[Artifact] = []
    for manifest in inputs.of("regroup"):
        found = [artifact for artifact in manifest.artifacts if artifact.name.startswith("corpus/")]
        parts += found
        if manifest.counts["documents_in"]:  # the removal list may have taken them all
            languages.setdefault(first_part(manifest.unit), []).append(_json(inputs, manifest))
        kept = manifest.counts["documents_kept"]
        draft.add({"documents_in": kept, "documents_kept": kept})
    if not languages:
        asked = ", ".join(sorted({first_part(manifest.unit) for manifest in inputs.of("regroup")}))
        raise EmptyOutput(f"{draft.unit}: no slice holds a document of {asked}")
    draft.publish_at(STATISTICS, f"{_gather(parts, inputs, draft)}/_{STATISTICS}")
    merged = {language: merge(found) for language, found in sorted(languages.items())}
    dumps = {manifest.unit: _json(inputs, manifest) for manifest in inputs.of("summarize")}
    for language, row in merged.items():
        row["steps"] = _language_steps(language, inputs, dumps)
        if masked := _masked(language, dumps):
            row["masked"] = masked
        if inputs.of("regroup")[0].config.get("decontaminate"):
            row["benchmarks"] = _benchmarks(language, inputs)
        rows = [dump["languages"].get(language, {}) for dump in dumps.values()]
        measured = [of_dump[PRECISION] for of_dump in rows if PRECISION in of_dump]
        if measured:  # dumps may have been identified with classifiers of several dates
            row[PRECISION] = min(measured)
    draft.write_json(
        STATISTICS, {"languages": merged, "dumps": {crawl: {"steps": found["steps"]} for crawl, found in dumps.items()}}
    )
    draft.add(overview_counts(merged))


def _gather(parts: Sequence[Artifact], inputs: Inputs, draft: Draft) -> str:
    """List the parts as the release's; returns its folder.

    Where the removal list concerns some, these lie elsewhere: then the release has a folder of its own, into
    which the store copies all of them (a hard link on a disk, a copy within S3), and nothing that is published changes.
    """
    published = {part.key.split("/lang=")[0] for part in parts if part.key.startswith(RELEASES)}
    if len(published) > 1:
        raise BadInput(f"{draft.unit}: languages of {len(published)} releases came in: {', '.join(sorted(published))}")
    if not any(manifest.config.get("removed") for manifest in inputs.of("regroup")):
        for part in parts:
            draft.reuse(part)
        return published.pop()
    keys = tuple(manifest.key for manifest in inputs.of("regroup"))
    mark = fingerprint(STAGE.name, STAGE.version, draft.unit, {}, keys)
    folder = f"{RELEASES}{draft.unit}-{mark[:8]}"
    copies = [part.model_copy(update={"key": part.name.replace("corpus", folder, 1)}) for part in parts]
    with ThreadPoolExecutor(COPIES) as pool:
        copied = pool.map(draft.store.copy, [part.key for part in parts], [copy.key for copy in copies])
        for done, _ in enumerate(copied, 1):
            draft.progress(done, len(parts), "files")
    for copy in copies:
        draft.reuse(copy)
    return folder


def _json(inputs: Inputs, manifest: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(inputs.path(manifest, STATISTICS).read_text(encoding="utf-8"))
    return found


def _masked(language: str, dumps: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Contacts by kind that the dumps' documents of a language had, those included that the release dropped."""
    sums = Counter[str]()
    for dump in dumps.values():
        sums.update(dump["languages"].get(language, {}).get("masked", {}))
    return dict(sums)


def _language_steps(language: str, inputs: Inputs, dumps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What each step kept or dropped of a language, over all dumps, and then what the release dropped."""
    identified, filtered = Counter[str](kept=0), Counter[str]()
    for dump in dumps.values():
        steps = dump["languages"].get(language, {}).get("steps", {})
        identified.update(steps.get("identify", {}))
        filtered.update(steps.get("filter_documents", {}))
    return language_steps(language, inputs.of("regroup"), {language: filtered}) | {"identify": dict(identified)}


def _benchmarks(language: str, inputs: Inputs) -> dict[str, int]:
    """benchmark -> documents of the language that hold text of it, marked or dropped."""
    from ccnet.decontaminate import BENCHMARK

    found = Counter[str]()
    for manifest in inputs.of("regroup"):
        if first_part(manifest.unit) == language:
            found.update({n.removeprefix(BENCHMARK): c for n, c in manifest.counts.items() if n.startswith(BENCHMARK)})
    return dict(sorted(found.items()))


STAGE = Stage(
    name="publish",
    version=5,
    config=PublishConfig,
    body=publish,
    needs={"regroup": all_units, "summarize": all_units},
    current="release",
)
