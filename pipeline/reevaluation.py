"""Which scores of a checkpoint are missing, or are no longer those that this installation would give.

A score stands while the benchmark's files, its reader, the scorer and the evaluation code are those that it was made
with.  What does not stand is scored again as another unit: a manifest never changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipeline import stages
from pipeline.build_on import make_plan
from pipeline.current import current, current_or_none, names
from pipeline.deployment import Deployment
from pipeline.errors import MissingArtifact
from pipeline.manifest import Manifest, parse_key
from pipeline.needs import first_part
from pipeline.plan import Plan, Work
from pipeline.result_store import StoredFailure, read_failures, read_results
from pipeline.runner import run_work
from pipeline.runs import REEVALUATE, ReevaluateSettings
from pipeline.score_rows import StoredResult
from pipeline.source_digest import digest_of_listing, files_of
from pipeline.stages.evaluate import check_choices
from pipeline.store import ArtifactStore

if TYPE_CHECKING:
    from evaluation.results import FailedSeed, ResultRow

log = logging.getLogger(__name__)

Stored = StoredResult | StoredFailure  # a seed that failed would fail again
NO_RESULT, DATA, SCORER, CODE = "no result yet", "its data changed", "its scorer changed", "the code changed"


@dataclass(frozen=True)
class Wanted:
    """A benchmark and seed of a checkpoint: `why` it must be scored, "" where its result stands as `work.key`."""

    checkpoint: str
    work: Work
    why: str


def chosen_checkpoints(settings: ReevaluateSettings, store: ArtifactStore) -> dict[str, str]:
    """name -> key of its current manifest: those named, else the store's own that was made last.

    A model from outside has the manifest that was scored last.  Raises MissingArtifact, BadConfig.
    """
    check_choices(settings, settings.benchmarks)
    if settings.checkpoints:
        return {name: _manifest_of(name, store) for name in settings.checkpoints}
    found = {name: current(store, "checkpoint", name) for name in names(store, "checkpoint")}
    if not found:
        raise MissingArtifact(f"no checkpoint in {store.root}: make one with xlmr pretrain or the DAG xlmr_pretrain, "
                              "or name a model from outside that has scores (`xlmr report`)")  # fmt: skip
    latest = max(found, key=lambda name: (store.manifest(found[name]).written_at, name))
    return {latest: found[latest]}


def _manifest_of(name: str, store: ArtifactStore) -> str:
    found = current_or_none(store, "checkpoint", name)
    if found is not None:
        return found
    scored: list[Stored] = [*read_results(store, checkpoint_name=name), *read_failures(store, checkpoint_name=name)]
    if scored:
        return max(scored, key=lambda each: each.origin.written_at).origin.checkpoint_key
    raise MissingArtifact(f"no checkpoint {name!r} in {store.root}, and no score of a model of that name: see "
                          "`xlmr report`, make it with xlmr pretrain, or evaluate a model from outside with "
                          "xlmr evaluate --checkpoint FOLDER|hf://ID")  # fmt: skip


def take_in_data(settings: ReevaluateSettings, deployment: Deployment, store: ArtifactStore) -> Deployment:
    """Bring the benchmark data into the store, as they are now.  Returns the deployment that names them.

    A local folder that was changed in place is noticed by its files' digests, unless the deployment names the digest
    that it must have; what lies elsewhere counts as changed when its name or digest does.
    """
    seen = deployment
    for work in Plan(REEVALUATE, settings, deployment).works("ingest"):
        manifest = store.manifest(run_work(work, store.root))
        source = _local(str(manifest.config["source"]))
        if source is None or manifest.config["sha256"]:
            continue
        files = files_of(source, manifest.config["names"])
        if not _same_files(manifest, files):
            log.info("%s: its files have changed since they were brought into the store", source)
            digests = {**seen.digests, work.unit: digest_of_listing(files)}
            seen = seen.model_copy(update={"digests": digests})
    if seen is not deployment:
        for work in Plan(REEVALUATE, settings, seen).works("ingest"):
            run_work(work, store.root)
    return seen


def wanted(
    settings: ReevaluateSettings, deployment: Deployment, store: ArtifactStore, checkpoints: Iterable[tuple[str, str]]
) -> list[Wanted]:
    """Every benchmark and seed of these checkpoints (name, key of the manifest), with why it must be scored."""
    return [each for name, key in checkpoints for each in _of_checkpoint(settings, deployment, store, name, key)]


def _of_checkpoint(
    settings: ReevaluateSettings, deployment: Deployment, store: ArtifactStore, name: str, key: str
) -> Iterator[Wanted]:
    plan = make_plan(REEVALUATE, settings, deployment, store, [key])
    known: list[Stored] = [*read_results(store, checkpoint_key=key), *read_failures(store, checkpoint_key=key)]
    known.sort(key=lambda each: each.origin.written_at)
    manifests = {lineage: store.manifest(lineage) for lineage in {each.origin.lineage for each in known}}
    for work in plan.works("evaluate"):
        standing, why = _standing(work, known, manifests, store)
        if standing:
            yield Wanted(name, Work(work.stage, work.unit, work.config, work.inputs, standing), "")
        else:
            yield Wanted(name, _again(work) if store.exists(work.key) else work, why)


def _standing(
    work: Work, known: Sequence[Stored], manifests: dict[str, Manifest], store: ArtifactStore
) -> tuple[str, str]:
    """The key of the result that stands, "" if none does; and why not."""
    config = work.config.model_dump(mode="json")
    found = [each for each in known if _settings_of(manifests[each.origin.lineage]) == config]
    if not found:
        return "", NO_RESULT
    files = _benchmark_files(store, work.inputs, found[0].row.benchmark)
    checks: dict[str, Callable[[Stored], bool]] = {
        DATA: lambda each: _benchmark_files(store, manifests[each.origin.lineage].inputs, each.row.benchmark) == files,
        SCORER: lambda each: _scorer(each.row) == _scorer_now(each.row.benchmark),
        CODE: lambda each: _is_of_this_code(each.row, manifests[each.origin.lineage]),
    }
    for why, check in checks.items():
        found = [each for each in found if check(each)]
        if not found:
            return "", why
    return found[-1].origin.lineage, ""


def _settings_of(manifest: Manifest) -> dict[str, object]:
    return {name: value for name, value in manifest.config.items() if name != "code"}


def _scorer(row: ResultRow | FailedSeed) -> tuple[int, int]:
    return row.benchmark_version, row.scorer_version


def _scorer_now(benchmark: str) -> tuple[int, int]:
    from evaluation.benchmarks import benchmark_named
    from evaluation.results import SCORER_VERSION

    return benchmark_named(benchmark).version, SCORER_VERSION


def _is_of_this_code(row: ResultRow | FailedSeed, manifest: Manifest) -> bool:
    from evaluation.code_digest import code_digest

    return row.code == code_digest(row.benchmark) and manifest.version == stages.load(manifest.stage).version


def _again(work: Work) -> Work:
    """The same work under another key: that of this code."""
    from evaluation.code_digest import code_digest

    config = work.config.model_copy(update={"code": code_digest(first_part(work.unit))})
    return Work(work.stage, work.unit, config, work.inputs, stages.load(work.stage).key(config, work.unit, work.inputs))


def _benchmark_files(store: ArtifactStore, inputs: Iterable[str], benchmark: str) -> dict[str, str]:
    """name -> SHA-256 of the benchmark's files among those that a unit reads; of all where it has no folder there."""
    from evaluation.benchmarks import benchmark_named

    own_units = {("ingest", "benchmarks"), ("ingest", f"benchmarks/{benchmark}")}
    keys = [key for key in inputs if parse_key(key)[:2] in own_units]
    files = {artifact.name: artifact.sha256 for key in keys for artifact in store.manifest(key).artifacts}
    own = {name: sha for name, sha in files.items() if name.split("/")[0] in benchmark_named(benchmark).folders}
    return own or files


def _local(source: str) -> Path | None:
    """The path of a source on this machine; None of one elsewhere, or no longer there."""
    parts = urlsplit(source)
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(source)
    return path if parts.scheme in ("", "file") and path.exists() else None


def _same_files(manifest: Manifest, files: dict[str, Path]) -> bool:
    from pipeline.store import sha256_of

    stored = {artifact.name: artifact for artifact in manifest.artifacts}
    return set(stored) == set(files) and all(
        path.stat().st_size == stored[name].size_bytes and sha256_of(path) == stored[name].sha256
        for name, path in files.items()
    )
