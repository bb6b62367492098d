"""All scores that a store has: rows of Parquet, one file for each finished unit of `evaluate`, never changed.

results/BENCHMARK/part-FINGERPRINT.parquet is made from the unit's manifest, its results.json and the manifests that it
was made from, and from nothing else: recording a unit again gives the same bytes under the same name.  Seconds, date
and hardware come from the manifest, which exists once.  A seed that failed to train leaves failed-FINGERPRINT.json in
place of rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipeline.checkpoint_source import UNITS
from pipeline.errors import BadConfig
from pipeline.manifest import Manifest, parse_key
from pipeline.score_rows import ORIGIN_FIELDS, Known, Origin, StoredResult, read_rows, to_parquet
from pipeline.store import ArtifactStore

if TYPE_CHECKING:
    from evaluation.results import FailedSeed, Scored

FOLDER = "results"
RESULTS, CONTRIBUTIONS, FAILED, MODEL_CONFIG = "results.json", "contributions.npz", "failed.json", "config.json"

# What scores of the same weights may differ in: fields of a row, and how that is said.
DIFFERS = {"config": "other fine-tuning settings", "data": "other data", "code": "other code",
           "scorer_version": "another scorer", "benchmark_version": "another reader"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A seed that failed to train, and where it comes from."""

    row: FailedSeed
    origin: Origin


def record_results(store: ArtifactStore, key: str) -> None:
    """Write the rows of a finished unit of `evaluate`, or that it failed, unless they are there."""
    _, unit, mark = parse_key(key)
    place = f"{FOLDER}/{unit.split('/')[0]}/part-{mark}.parquet"
    if store.exists(place):
        return
    manifest = store.manifest(key)
    if is_failed(manifest):
        store.put_if_absent(failure_place(key), _failure(store, manifest))
    else:
        store.put_if_absent(place, to_parquet(_rows(store, manifest)))


def is_failed(manifest: Manifest) -> bool:
    """Whether a unit of `evaluate` has no score since its training failed."""
    return any(artifact.name == FAILED for artifact in manifest.artifacts)


def failure_place(key: str) -> str:
    """Where the store says that a unit of `evaluate` failed."""
    _, unit, mark = parse_key(key)
    return f"{FOLDER}/{unit.split('/')[0]}/failed-{mark}.json"


def read_results(store: ArtifactStore, **wanted: object) -> list[StoredResult]:
    """All rows whose fields have these values, oldest first; a collection means any of its values.

    `read_results(store, benchmark="xnli", language=["en", "sw"], headline=True)`.  Raises BadConfig for a field that
    rows do not have.
    """
    from evaluation.results import ROW_FIELDS

    known = {*ROW_FIELDS, *ORIGIN_FIELDS}
    if unknown := sorted(set(wanted) - known):
        raise BadConfig(f"results have no field {', '.join(unknown)}: wanted some of {', '.join(sorted(known))}")
    keys = _recorded(store, wanted.get("benchmark"), "", ".parquet")
    found = chain.from_iterable(read_rows(store, keys, {}, wanted))
    return _in_order(each for each in found if all(_fits(_field(each, name), value) for name, value in wanted.items()))


class KnownResults:
    """All rows, for readers that look again and again: files of rows never change, so each is read once."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._rows: dict[str, list[StoredResult]] = {}
        self._same: Known = {}

    def read(self, keys: Iterable[str]) -> list[StoredResult]:
        """The rows of these keys below results/, oldest first."""
        parts = [key for key in keys if key.endswith(".parquet")]
        unknown = [key for key in parts if key not in self._rows]
        self._rows.update(zip(unknown, read_rows(self._store, unknown, self._same), strict=True))
        self._rows = {key: self._rows[key] for key in parts}
        return _in_order(row for rows in self._rows.values() for row in rows)


def _in_order(found: Iterable[StoredResult]) -> list[StoredResult]:
    return sorted(found, key=lambda each: (each.origin.written_at, each.origin.lineage))


def read_failures(store: ArtifactStore, **wanted: object) -> list[StoredFailure]:
    """All seeds that failed whose fields have these values, oldest first; a collection means any of its values."""
    keys = _recorded(store, wanted.get("benchmark"), "failed-", ".json")
    stored = [json.loads(store.get(key)) for key in keys]
    found = [_stored_failure(each) for each in stored
             if all(_fits(each.get(name), value) for name, value in wanted.items())]  # fmt: skip
    return sorted(found, key=lambda each: (each.origin.written_at, each.origin.lineage))


def standing_failures(failures: Iterable[StoredFailure], results: Iterable[StoredResult]) -> list[StoredFailure]:
    """Those that belong beside `newest(results)`: made alike or later, and without a later score of the same seed.

    Both oldest first; `results` are all of the same checkpoints and benchmarks.
    """
    failed = list(failures)
    made = {_group(each): _identity(each) for each in failed}
    scored: dict[tuple[object, ...], str] = {}
    for each in results:
        made[_group(each)] = _identity(each)
        scored[_group(each)] = scored[*_group(each), each.row.seed] = each.origin.written_at
    standing: dict[tuple[object, ...], StoredFailure] = {}
    for failure in failed:
        group, seed, at = _group(failure), failure.row.seed, failure.origin.written_at
        alike, later = _identity(failure) == made[group], at > scored.get(group, "")
        if (alike or later) and at >= scored.get((*group, seed), ""):
            standing[*group, seed] = failure
    return list(standing.values())


def newest(results: Iterable[StoredResult]) -> list[StoredResult]:
    """What stands now: of each checkpoint name, benchmark, setting and selection only the rows that agree with the last
    one written in weights, data, settings, code and scorer, and of a score's seed only the last.

    So a mean over seeds is never one over different things.  `results` in the order of read_results.
    """
    found = list(results)
    identity = {_group(each): _identity(each) for each in found}
    last = {(_group(each), each.row.place, each.row.seed): each for each in found
            if _identity(each) == identity[_group(each)]}  # fmt: skip
    return list(last.values())


def left_out(results: Iterable[StoredResult]) -> list[str]:
    """A line on each set of scores of the same weights that `newest` passes over and that none of its scores replaces:
    of other settings of fine-tuning, or of seeds that were not scored again.  `results` in the order of read_results.
    """
    found = list(results)
    standing = {_group(each): each for each in found}
    seeds: dict[tuple[object, ...], set[int]] = {}
    for each in found:
        seeds.setdefault((_group(each), _identity(each)), set()).add(each.row.seed)
    told: dict[str, None] = {}
    for each in found:
        last = standing[_group(each)]
        if _identity(each) == _identity(last) or each.row.checkpoint != last.row.checkpoint:
            continue
        own, replaced = (seeds[_group(one), _identity(one)] for one in (each, last))
        if each.row.config == last.row.config and own <= replaced:
            continue
        differs = [said for name, said in DIFFERS.items() if getattr(each.row, name) != getattr(last.row, name)]
        if differs[0] == DIFFERS["config"] and each.origin.finetuning != last.origin.finetuning:
            differs[0] += f", preset {each.origin.finetuning}"
        place = " ".join(filter(None, _group(each)[:3]))
        told[f"{place} seed{'s' * (len(own) > 1)} {', '.join(map(str, sorted(own)))} ({'; '.join(differs)})"] = None
    return list(told)


def _group(each: StoredResult | StoredFailure) -> tuple[str, ...]:
    return each.origin.checkpoint_name, each.row.benchmark, each.row.setting, each.row.selection


def _identity(each: StoredResult | StoredFailure) -> tuple[object, ...]:
    row = each.row
    return row.checkpoint, row.data, row.config, row.code, row.scorer_version, row.benchmark_version


def with_contributions(store: ArtifactStore, results: Sequence[StoredResult]) -> list[Scored]:
    """The rows with what each example contributed, as evaluation.compare takes them."""
    import io

    import numpy as np

    from evaluation.results import Scored

    files: dict[str, Any] = {}
    for each in results:
        if each.origin.contributions not in files:
            with np.load(io.BytesIO(store.get(each.origin.contributions))) as stored:
                files[each.origin.contributions] = dict(stored)
    return [Scored(each.row, files[each.origin.contributions][f"{each.row.language}/{each.row.metric}"])
            for each in results]  # fmt: skip


def _rows(store: ArtifactStore, manifest: Manifest) -> list[dict[str, Any]]:
    from evaluation.results import row_of

    shared = _of_unit(store, manifest) | {"contributions": manifest.artifact(CONTRIBUTIONS).key}
    rows = map(row_of, json.loads(store.get(manifest.artifact(RESULTS).key)))
    predictions = {artifact.name: artifact.key for artifact in manifest.artifacts}
    return [
        asdict(row) | asdict(Origin(**shared, predictions=predictions[f"predictions-{row.language}.jsonl"]))
        for row in rows
    ]


def _failure(store: ArtifactStore, manifest: Manifest) -> bytes:
    from evaluation.results import failed_of

    failed = failed_of(json.loads(store.get(manifest.artifact(FAILED).key)))
    stated = asdict(failed) | asdict(Origin(**_of_unit(store, manifest)))
    return (json.dumps(stated, indent=1, sort_keys=True) + "\n").encode()


def _of_unit(store: ArtifactStore, manifest: Manifest) -> dict[str, Any]:
    return _of_model(store, manifest) | {
        "lineage": manifest.key,
        "finetuning": str(manifest.config.get("finetuning", "")),
        "code_version": manifest.code_version,
        "hardware": manifest.hardware,
        "seconds": manifest.seconds,
        "written_at": manifest.written_at,
    }


def _of_model(store: ArtifactStore, manifest: Manifest) -> dict[str, Any]:
    """What the checkpoint's manifest, its config.json and its pretraining say."""
    key = checkpoint_of(manifest.inputs)
    checkpoint = store.manifest(key)
    model = json.loads(store.get(checkpoint.artifact(MODEL_CONFIG).key))
    found: dict[str, Any] = {
        "checkpoint_name": checkpoint.unit.removeprefix(UNITS),
        "checkpoint_key": key,
        "model_family": str(model.get("model_type", "")),
        "vocabulary_size": model.get("vocab_size"),
        "hidden_size": model.get("hidden_size"),
        "layers": model.get("num_hidden_layers"),
    }
    for parent in checkpoint.inputs:
        if parse_key(parent)[0] == "pretrain":
            found |= _of_pretraining(store, store.manifest(parent))
    return found


def _of_pretraining(store: ArtifactStore, pretrain: Manifest) -> dict[str, Any]:
    encoded = {parse_key(key)[1].split("/")[0] for key in pretrain.inputs if parse_key(key)[0] == "encode"}
    return {
        "checkpoint_step": pretrain.counts.get("updates"),
        "trained_tokens": pretrain.counts.get("tokens"),
        "parameters": pretrain.counts.get("parameters"),
        "alpha": pretrain.config.get("alpha"),
        "languages": len(encoded),
        "release": _release_of(store, pretrain),
        "batch_blocks": pretrain.config.get("batch_blocks"),
        "only_language": "".join(encoded) if len(encoded) == 1 else "",
    }


def _release_of(store: ArtifactStore, pretrain: Manifest) -> str:
    """The release that was trained on: its own where one was named, else the vocabulary's; "" if it had none."""
    vocabularies = [key for key in pretrain.inputs if parse_key(key)[0] == "train_vocabulary" and store.exists(key)]
    for inputs in (pretrain.inputs, *(store.manifest(key).inputs for key in vocabularies)):
        for stage, unit, _ in map(parse_key, inputs):
            if stage == "publish":
                return unit
    return ""


def checkpoint_of(inputs: Iterable[str]) -> str:
    """The key of the checkpoint among those that a unit of `evaluate` reads."""
    for key in inputs:
        stage, unit, _ = parse_key(key)
        if stage == "export" or (stage == "ingest" and unit.startswith(UNITS)):
            return key
    raise BadConfig("no checkpoint among the inputs: wanted a manifest of `export`, or of `ingest` checkpoint/NAME")


def _recorded(store: ArtifactStore, benchmark: object, start: str, end: str) -> list[str]:
    """The keys below results/ whose last part begins and ends so."""
    prefix = f"{FOLDER}/{benchmark}/" if isinstance(benchmark, str) else f"{FOLDER}/"
    found = ((key, key.rpartition("/")[2]) for key in store.list(prefix))
    return [key for key, name in found if name.startswith(start) and name.endswith(end)]


def _stored_failure(stored: dict[str, Any]) -> StoredFailure:
    from evaluation.results import failed_of

    own = {name: stored[name] for name in ORIGIN_FIELDS if name in stored}
    return StoredFailure(failed_of(stored), Origin(**own))


def _field(each: StoredResult, name: str) -> object:
    return getattr(each.origin if name in ORIGIN_FIELDS else each.row, name)


def _fits(found: object, wanted: object) -> bool:
    return found in wanted if isinstance(wanted, Collection) and not isinstance(wanted, str) else found == wanted
