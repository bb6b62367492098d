"""Scores in the schema of Every Eval Ever (EvalEval Coalition), the common form of evaluation results of many tools.

A document for each model and benchmark, data/BENCHMARK/DEVELOPER/MODEL/UUID.json: https://github.com/evaleval/every_eval_ever
The same scores give the same bytes under the same name: times are those of the evaluation, the UUID is made from the
content.  Details are texts, as the schema wants them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeline.errors import BadConfig
from pipeline.failed_seeds import failed_by_place
from pipeline.hub import SCHEME, repository_of
from pipeline.manifest import parse_key
from pipeline.result_store import StoredFailure
from pipeline.score_rows import StoredResult
from pipeline.store import ArtifactStore
from training.storage import DiskFolder

if TYPE_CHECKING:
    from evaluation.benchmark import Benchmark

SCHEMA_VERSION = "0.3.0"
LIBRARY = "xlmr-factory"
UNKNOWN = "unknown"
# Names that the collection's folders may not have: its own, and those of devices in Windows.
RESERVED = re.compile(r"(data|con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scale:
    """A metric as the schema names it; its scores lie between `least` and 1."""

    id: str
    title: str
    unit: str = "proportion"
    least: float = 0.0


SCALES = {
    "accuracy": Scale("accuracy", "Accuracy"),
    "f1": Scale("f1", "F1"),
    "exact_match": Scale("exact-match", "Exact match"),
    "pearson": Scale("pearson", "Pearson's correlation", "coefficient", -1.0),
    "spearman": Scale("spearman", "Spearman's rank correlation", "coefficient", -1.0),
}
# task -> what its F1 is
F1_OF = {
    "classification": "F1 of the positive class",
    "tagging": "micro-averaged F1 of whole entities, as CoNLL's scorer counts them",
    "span": "F1 of the words of the predicted and the best gold answer, mean over questions",
}


@dataclass(frozen=True, slots=True)
class Model:
    """`id` is DEVELOPER/MODEL, also the names of its folders; `relationship` that of who evaluated to who made it."""

    id: str
    developer: str
    relationship: str
    availability: str = UNKNOWN
    source: str = ""


def documents(
    store: ArtifactStore,
    results: Iterable[StoredResult],
    organization: str,
    failures: Iterable[StoredFailure] = (),
) -> list[dict[str, Any]]:
    """One for each checkpoint's weights and benchmark; each score of a seed beside which others failed says so.

    `organization` ran the evaluation and made the store's own checkpoints.  Raises BadConfig, DataError.
    """
    groups: dict[tuple[str, str, str], list[StoredResult]] = {}
    for each in results:
        groups.setdefault((each.origin.checkpoint_name, each.row.checkpoint, each.row.benchmark), []).append(each)
    failed = failed_by_place(failures)
    return [document(store, group, organization, failed) for _, group in sorted(groups.items())]


def write_documents(found: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write them below folder/data; their paths.

    Documents of the same checkpoint name that an earlier export left beside them are replaced: its scores have changed.
    """
    written = [_write(folder, each) for each in found]
    for path, each in zip(written, found, strict=True):
        for older in sorted(set(path.parent.glob("*.json")) - set(written)):
            if _made_by(older) == (LIBRARY, each["model_info"]["name"]):
                older.unlink()
    return written


def document(
    store: ArtifactStore,
    results: Sequence[StoredResult],
    organization: str,
    failed: Mapping[tuple[str, ...], Sequence[StoredFailure]],
) -> dict[str, Any]:
    """The results of one checkpoint on one benchmark as the schema's EvaluationLog.  Raises BadConfig, DataError."""
    from evaluation.benchmarks import benchmark_named

    rows = sorted(results, key=lambda each: (each.row.place, each.row.seed))
    first = rows[0]
    benchmark, model = benchmark_named(first.row.benchmark), _model(store, first, organization)
    ended = max(each.origin.written_at for each in rows)
    second = str(int(datetime.fromisoformat(ended).timestamp()))
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{benchmark.name}/{model.id}@{first.row.checkpoint}/{second}",
        "evaluation_timestamp": ended,
        "retrieved_timestamp": second,
        "source_metadata": {
            "source_name": LIBRARY,
            "source_type": "evaluation_run",
            "source_organization_name": organization.strip(),
            "evaluator_relationship": model.relationship,
        },
        "eval_library": {
            "name": LIBRARY,
            "version": _joined(each.origin.code_version for each in rows) or UNKNOWN,
            "additional_details": _texts(
                {
                    "scorer_version": _joined(str(each.row.scorer_version) for each in rows),
                    "evaluation_code": _joined(each.row.code for each in rows),
                }
            ),
        },
        "model_info": _model_info(first, model),
        "evaluation_results": _evaluation_results(rows, benchmark, failed),
    }


def _evaluation_results(
    rows: Sequence[StoredResult], benchmark: Benchmark, failed: Mapping[tuple[str, ...], Sequence[StoredFailure]]
) -> list[dict[str, Any]]:
    """One for each row; after the seeds of a number their mean."""
    seeds: dict[tuple[str, ...], list[StoredResult]] = {}
    for each in rows:
        seeds.setdefault(each.row.place, []).append(each)
    found = []
    for place, group in seeds.items():
        lost = failed.get((group[0].origin.checkpoint_name, *place[:3]), ())
        own = [_of_seed(each, benchmark, lost) for each in group]
        found += own if len(own) == 1 else [*own, _mean(group, own, lost)]
    return found


def _of_seed(each: StoredResult, benchmark: Benchmark, lost: Sequence[StoredFailure]) -> dict[str, Any]:
    row, origin = each.row, each.origin
    scale = SCALES[row.metric]
    what = F1_OF[benchmark.task] if row.metric == "f1" else scale.title
    return {
        "evaluation_result_id": "/".join((*row.place, f"seed-{row.seed}")),
        "evaluation_name": f"{row.benchmark}.{row.setting}.{row.language}",
        "evaluation_timestamp": origin.written_at,
        "source_data": {
            "dataset_name": row.benchmark,
            "source_type": "url",
            "url": [benchmark.home],
            "additional_details": _texts(
                {
                    "title": benchmark.title,
                    "language": row.language,
                    "part": row.scored,
                    "examples": row.examples,
                    "digest": row.data,
                    "reader_version": row.benchmark_version,
                    "licence": benchmark.licence,
                }
            ),
        },
        "metric_config": {
            "evaluation_description": f"{benchmark.title}, {row.language}: {what}",
            "metric_id": scale.id,
            "metric_name": scale.title,
            "metric_kind": row.metric,
            "metric_unit": scale.unit,
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": scale.least,
            "max_score": 1.0,
            "additional_details": _texts({"headline": row.headline}),
        },
        "score_details": {
            "score": _score(row.value),
            "details": _texts(
                {
                    "value_percent": row.value,
                    "examples": row.examples,
                    "chance_percent": row.chance,
                    "baseline_percent": row.baseline,
                    "baseline_is": row.baseline_is,
                    "flags": row.flags,
                    "failed_seeds": _failed_seeds(lost),
                }
            ),
        },
        "generation_config": {
            "additional_details": _texts(
                {
                    "seed": row.seed,
                    "setting": row.setting,
                    "selection": row.selection,
                    "dev": row.dev,
                    "trained_on": row.trained_on,
                    "train_examples": row.train_examples,
                    "epoch": row.epoch,
                    "learning_rate": row.learning_rate or None,
                    "learning_rates": row.learning_rates,
                    "bootstrap": row.bootstrap or None,
                    "max_input_tokens": row.max_tokens,
                    "finetuning": origin.finetuning,
                    "settings_digest": row.config,
                    "hardware": origin.hardware,
                    "seconds": origin.seconds,
                    "lineage": origin.lineage,
                }
            )
        },
    }


def _failed_seeds(lost: Sequence[StoredFailure]) -> str:
    """Other seeds of the same number, which have no score, and why."""
    return "; ".join(each.row.told() for each in lost)


def _mean(
    group: Sequence[StoredResult], seeds: Sequence[dict[str, Any]], lost: Sequence[StoredFailure]
) -> dict[str, Any]:
    """Over seeds, with what all of them share; `uncertainty` is that over seeds."""
    from evaluation.summaries import is_collapsed, summarise

    (summary,) = summarise(each.row for each in group)
    row = group[0].row
    generation = [each["generation_config"]["additional_details"] for each in seeds]
    deviation = summary.deviation / 100
    return seeds[0] | {
        "evaluation_result_id": "/".join((*row.place, "mean")),
        "evaluation_timestamp": max(each.origin.written_at for each in group),
        "score_details": {
            "score": _score(summary.mean),
            "details": _texts(
                {
                    "aggregation": "mean over the seeds that stand beside it: not another evaluation",
                    "value_percent": summary.mean,
                    "least_percent": summary.least,
                    "most_percent": summary.most,
                    "seeds": [each.row.seed for each in group],
                    "failed_seeds": _failed_seeds(lost),
                    "collapsed_seeds": [each.row.seed for each in group if is_collapsed(each.row)],
                    "examples": row.examples,
                }
            ),
            "uncertainty": {
                "standard_error": {"value": deviation / summary.seeds**0.5, "method": "analytic"},
                "standard_deviation": deviation,
                "num_samples": summary.seeds,
            },
        },
        "generation_config": {
            "additional_details": {
                name: text
                for name, text in generation[0].items()
                if all(other.get(name) == text for other in generation)
            }
        },
    }


def _model(store: ArtifactStore, each: StoredResult, organization: str) -> Model:
    """Our own checkpoint, a model of the hub, or one from a folder, of which nobody says who made it."""
    evaluator = _folder_name(organization)
    stage, name = parse_key(each.origin.checkpoint_key)[0], each.origin.checkpoint_name
    if stage == "export":
        return Model(f"{evaluator}/{_folder_name(name)}", organization.strip(), "first_party")
    source = str(store.manifest(each.origin.checkpoint_key).config.get("source", ""))
    if not source.startswith(SCHEME):
        return Model(f"{UNKNOWN}/{_folder_name(name)}", UNKNOWN, "other")
    owner, _, model = repository_of(source)[0].rpartition("/")
    developer = owner or UNKNOWN
    relationship = "first_party" if developer.casefold() == evaluator.casefold() else "third_party"
    return Model(f"{developer}/{model}", developer, relationship, "open_weights", source)


def _model_info(each: StoredResult, model: Model) -> dict[str, Any]:
    origin = each.origin
    details = {
        "deployment_type": "self_deployed",
        "model_availability": model.availability,
        "weights_digest": each.row.checkpoint,
        "source": model.source,
        "checkpoint": origin.checkpoint_key,
        "updates": origin.checkpoint_step,
        "trained_tokens": origin.trained_tokens,
        "languages": origin.languages,
        "language_sampling_alpha": origin.alpha,
        "parameters": origin.parameters,
        "model_family": origin.model_family,
        "vocabulary_size": origin.vocabulary_size,
        "hidden_size": origin.hidden_size,
        "layers": origin.layers,
    }
    return {
        "name": origin.checkpoint_name,
        "id": model.id,
        "developer": model.developer,
        "additional_details": _texts(details),
    }


def _write(folder: Path, found: Mapping[str, Any]) -> Path:
    text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    name = UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4)
    collection = found["evaluation_results"][0]["source_data"]["dataset_name"]
    place = f"data/{collection}/{found['model_info']['id']}/{name}.json"
    DiskFolder(folder.absolute()).put(text.encode(), place)
    return folder / place


def _made_by(path: Path) -> tuple[str, str]:
    """Library and model's name in a document; empty for another file."""
    try:
        found = json.loads(path.read_bytes())
        return found["eval_library"]["name"], found["model_info"]["name"]
    except (ValueError, KeyError, TypeError):
        return "", ""


def _folder_name(name: str) -> str:
    """A name that every file system takes.  Raises BadConfig where nothing of it is left."""
    found = re.sub(r"[^\w.@-]+", "-", name).strip("-.")
    if not found:
        raise BadConfig(f"{name!r}: wanted a name with letters or digits")
    return f"{found}_" if RESERVED.fullmatch(found) else found


def _score(percent: float) -> float:
    """On the scale to 1; what floats add beyond twelve digits could leave the scale."""
    return round(percent / 100, 12)


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values) - {""}))


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """What is known of them, as texts: JSON where they are none."""
    known = {name: value for name, value in values.items() if value is not None and value not in ("", (), [])}
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in known.items()
    }
