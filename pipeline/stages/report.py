"""The whole run on one page: corpus, what was dropped and why, loss, scores beside the paper's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from pipeline.draft import Draft
from pipeline.errors import EmptyOutput
from pipeline.needs import all_units, first_part
from pipeline.release import release_statistics
from pipeline.result_store import FAILED, RESULTS, is_failed, left_out, newest
from pipeline.score_rows import Origin, StoredResult
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages import NAMES
from pipeline.stages.train_vocabulary import SAMPLED

NAMED = 5  # of scores that are not shown
PAPER_TOKENS = 1_500_000 * 8192 * 512  # updates, blocks, tokens a block (section 3)


class ReportConfig(StageConfig):
    """The report says what its inputs say."""


def report(config: ReportConfig, inputs: Inputs, draft: Draft) -> None:
    """report.json and report.html, the same on every run of the same work (speeds are in the manifests)."""
    from evaluation.report import write_report

    failures, rows = _failures(inputs), _rows(inputs)
    if not rows:
        raise EmptyOutput(f"no score: {_told_failures(failures)}")
    write_report(gather(inputs, rows, failures), draft.path("report.json").parent)
    languages = len(_corpus(inputs)) if inputs.of("publish") else 0
    draft.add({"benchmark_rows": len(rows), "languages": languages})


def gather(inputs: Inputs, rows: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """The report's content, in the shape of evaluation.report."""
    passed_over = left_out(_results(inputs))
    if not (inputs.of("publish") and inputs.of("pretrain")):  # an imported one, a milestone
        return scores_alone(rows, failures, passed_over)
    pretraining = _pretraining(inputs)
    release = inputs.one("publish")
    statistics = release_statistics(inputs)
    steps = _steps(statistics)
    return {
        "scale": _scale(inputs, pretraining, rows) + _added(failures, passed_over),
        "crawls": sorted(statistics["dumps"]),
        "corpus": _corpus(inputs),
        "dropped": {stage: step.pop("dropped") for stage, step in steps.items()},
        "flow": steps,
        "order": [stage for stage in NAMES if stage in steps],
        "vocabulary": _vocabulary(inputs),
        "pretraining": pretraining,
        "benchmarks": with_failed(rows, failures),
        "release": release.key,
    }


def scores_alone(
    rows: list[dict[str, Any]], failures: list[dict[str, Any]], passed_over: Sequence[str]
) -> dict[str, Any]:
    """A report on models whose corpus and pretraining are not known here."""
    from ccnet.languages import LANGUAGES

    sizes = {code: known.paper_gib for code, known in LANGUAGES.items() if known.paper_gib}
    scale = scale_of(rows) + _added(failures, passed_over)
    return {"scale": scale, "crawls": [], "benchmarks": with_failed(rows, failures), "sizes": sizes}


def with_failed(rows: list[dict[str, Any]], failures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows beside which seeds failed with those seeds, as `failed_seeds`."""
    failed: dict[tuple[str, ...], list[int]] = {}
    for each in failures:
        failed.setdefault(_place(each), []).append(each["seed"])
    return [row | {"failed_seeds": sorted(failed[_place(row)])} if _place(row) in failed else row for row in rows]


def _place(row: dict[str, Any]) -> tuple[str, ...]:
    return str(row.get("checkpoint_name", "")), row["benchmark"], row["setting"], row["selection"]


def _added(failures: list[dict[str, Any]], passed_over: Sequence[str]) -> str:
    """`passed_over`: scores that share no mean with the rows (pipeline.result_store.left_out)."""
    said = f" Seeds without a score: {_told_failures(failures)}." if failures else ""
    if passed_over:
        more = f" and {len(passed_over) - NAMED} more" if len(passed_over) > NAMED else ""
        said += f" Not shown, as they were made otherwise: {'; '.join(passed_over[:NAMED])}{more}."
    return said


def _told_failures(failures: list[dict[str, Any]]) -> str:
    named = [f"{each.get('checkpoint_name', '')} {each['benchmark']} {each['setting']} seed {each['seed']} "
             f"({each['reason']})".lstrip() for each in failures]  # fmt: skip
    return "; ".join(named)


def scale_of(rows: list[dict[str, Any]]) -> str:
    """What was run, in one line: models, benchmarks, examples, seeds."""
    return _models(rows) + _scored(rows)


def _scored(rows: list[dict[str, Any]]) -> str:
    sizes: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        sizes.setdefault((row["benchmark"], row["language"]), set()).add(row["examples"])
    names = dict.fromkeys(row["benchmark"] for row in rows)
    seeds: dict[tuple[str, ...], set[int]] = {}
    for row in rows:
        seeds.setdefault(_place(row), set()).add(row["seed"])
    trained = [row["train_examples"] for row in rows]
    counted = _range(map(len, seeds.values()))
    return (
        f"{len(names)} benchmark{'s' * (len(names) != 1)} ({', '.join(names)}), {len(sizes)} test sets "
        f"with {_range(chain(*sizes.values()))} examples, trained on {_range(trained)}; "
        f"{counted} seed{'s' * (counted != '1')} each. Read each "
        "score beside its chance level and baseline: small sets and short fine-tunings do not show how good a model is."
    )


def _range(numbers: Iterable[int]) -> str:
    least, most = min(found := list(numbers)), max(found)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _models(rows: list[dict[str, Any]]) -> str:
    """Names and pretraining of the models, where the rows say them."""
    found = {row["checkpoint_name"]: row for row in rows if row.get("checkpoint_name")}
    told = [f"{name} ({row['trained_tokens']:,} tokens of pretraining)" if row.get("trained_tokens") else name
            for name, row in found.items()]  # fmt: skip
    return f"{len(told)} model{'s' * (len(told) != 1)}: {', '.join(told)}; " if told else ""


def _steps(statistics: dict[str, Any]) -> dict[str, Any]:
    """stage -> documents_in, documents_kept, dropped by reason, of all dumps and then of the release."""
    steps: dict[str, Any] = {}
    for dump in statistics["dumps"].values():
        for stage, step in dump["steps"].items():
            _add(
                steps.setdefault(stage, _no_documents()), step["documents_in"], step["documents_kept"], step["dropped"]
            )
    kept = sum(row["documents"] for found in statistics["languages"].values() for row in found["buckets"].values())
    regroup = steps.setdefault("regroup", _no_documents())
    for found in statistics["languages"].values():
        dropped = found["steps"].get("regroup", {})
        _add(regroup, sum(dropped.values()), 0, dropped)
    _add(regroup, kept, kept, {})
    return {stage: step for stage, step in steps.items() if step["documents_in"]}


def _no_documents() -> dict[str, Any]:
    return {"documents_in": 0, "documents_kept": 0, "dropped": {}}


def _add(step: dict[str, Any], documents_in: int, documents_kept: int, dropped: dict[str, int]) -> None:
    step["documents_in"] += documents_in
    step["documents_kept"] += documents_kept
    step["dropped"] = dict(sorted((Counter(step["dropped"]) + Counter(dropped)).items()))


def _corpus(inputs: Inputs) -> dict[str, Any]:
    """Every language asked for, also those without a document, beside the paper's Table 6."""
    from ccnet.languages import LANGUAGES

    statistics = release_statistics(inputs)["languages"]
    tokens: Counter[str] = Counter()
    for manifest in inputs.of("encode"):
        tokens[first_part(manifest.unit)] += manifest.counts["tokens"]
    rows = {}
    for language in sorted(tokens):
        found = statistics.get(language, {})
        buckets = found.get("buckets", {})
        total = {
            name: sum(row[name] for row in buckets.values())
            for name in ("documents", "paragraphs", "characters", "bytes")
        }
        known = LANGUAGES[language]
        rows[language] = {
            "name": known.name,
            "documents": total["documents"],
            "paragraphs": total["paragraphs"],
            "characters": total["characters"],
            "gib": total["bytes"] / 2**30,
            "tokens": tokens[language],
            "buckets": {bucket: row["documents"] for bucket, row in sorted(buckets.items())},
            "paper_gib": known.paper_gib,
            "paper_tokens_m": known.paper_tokens_m,
        }
    return rows


def _vocabulary(inputs: Inputs) -> dict[str, Any]:
    made = inputs.of("train_vocabulary")
    if not made or not any(artifact.name == SAMPLED for artifact in made[0].artifacts):
        return {}  # a vocabulary from outside
    manifest = inputs.one("train_vocabulary")
    sampled = json.loads(inputs.path(manifest, SAMPLED).read_text(encoding="utf-8"))
    return {"pieces": manifest.counts["pieces"], "alpha": sampled["alpha"], "sampled_characters": sampled["characters"]}


def _pretraining(inputs: Inputs) -> dict[str, Any]:
    manifest = inputs.one("pretrain")
    summary: dict[str, Any] = json.loads(inputs.path(manifest, "summary.json").read_text(encoding="utf-8"))
    lines = inputs.path(manifest, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    curve = [[row["step"], row["loss_nats"]] for row in map(json.loads, lines)]
    return summary | {"curve": curve}


def _results(inputs: Inputs) -> list[StoredResult]:
    """The scores of all units, the oldest first."""
    from evaluation.results import row_of

    found = []
    for manifest in sorted(inputs.of("evaluate"), key=lambda each: (each.written_at, each.key)):
        if not is_failed(manifest):
            origin = Origin(lineage=manifest.key, finetuning=str(manifest.config.get("finetuning", "")))
            results = json.loads(inputs.path(manifest, RESULTS).read_text(encoding="utf-8"))
            found += [StoredResult(row_of(stored), origin) for stored in results]
    return found


def _rows(inputs: Inputs) -> list[dict[str, Any]]:
    """A row for each benchmark, language, metric and seed, with the manifest that it comes from: those of one mean are
    made alike, as in the table of all results."""
    kept: dict[str, list[StoredResult]] = {}
    for each in newest(_results(inputs)):
        kept.setdefault(each.origin.lineage, []).append(each)
    return [asdict(each.row) | {"lineage": each.origin.lineage, "finetuning": each.origin.finetuning}
            for manifest in inputs.of("evaluate") for each in kept.get(manifest.key, ())]  # fmt: skip


def _failures(inputs: Inputs) -> list[dict[str, Any]]:
    """The seeds that failed to train, each with the manifest that says so."""
    found = [manifest for manifest in inputs.of("evaluate") if is_failed(manifest)]
    return [json.loads(inputs.path(manifest, FAILED).read_text(encoding="utf-8")) | {"lineage": manifest.key}
            for manifest in found]  # fmt: skip


def _scale(inputs: Inputs, pretraining: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    documents = sum(row["documents"] for row in _corpus(inputs).values())
    manifest = inputs.one("pretrain")
    config = manifest.config
    tokens = manifest.counts["tokens"]
    return (
        f"{documents:,} documents; {pretraining['parameters'] / 1e6:.1f} million parameters trained on "
        f"{tokens:,} tokens ({config['steps']:,} updates of {config['batch_blocks']} blocks), "
        f"{_beside_paper(tokens)}; {_scored(rows)}"
    )


def _beside_paper(tokens: int) -> str:
    times = PAPER_TOKENS / tokens
    return f"about {times:,.0f} times fewer than the paper's" if times >= 2 else f"{1 / times:.2f} times the paper's"


STAGE = Stage(
    name="report",
    version=6,
    config=ReportConfig,
    body=report,
    needs=dict.fromkeys(("publish", "train_vocabulary", "encode", "pretrain", "evaluate"), all_units),
    optional=frozenset({"publish", "train_vocabulary", "encode", "pretrain"}),  # a model from outside has none
    packages=("jinja2", "matplotlib"),
)
