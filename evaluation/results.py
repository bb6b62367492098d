"""One score with what it is a score of, and the predictions behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.metrics import accuracy, entity_f1, question_scores
from evaluation.records import Classified, Example, Question, Tagged


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """`value` in percent over `examples` items; `paper` is XLM-R's (large), where the paper has it."""

    benchmark: str
    language: str
    metric: str
    value: float
    examples: int
    seed: int
    trained_on: str
    headline: bool
    chance: float | None
    paper: float | None


def score(
    benchmark: Benchmark, language: str, gold: Sequence[Example], predicted: Sequence[object], seed: int
) -> list[BenchmarkResult]:
    """The benchmark's official metrics of one language."""
    values = _values(benchmark, language, gold, predicted)
    return [
        BenchmarkResult(
            benchmark=benchmark.name,
            language=language,
            metric=metric,
            value=round(value, 4),
            examples=len(gold),
            seed=seed,
            trained_on=benchmark.source,
            headline=metric == benchmark.headline,
            chance=None if benchmark.chance is None else round(benchmark.chance, 2),
            paper=benchmark.paper.get(language) if metric == benchmark.headline else None,
        )
        for metric, value in values.items()
    ]


def _values(
    benchmark: Benchmark, language: str, gold: Sequence[Example], predicted: Sequence[object]
) -> dict[str, float]:
    if benchmark.task == "classification":
        return {"accuracy": accuracy([_label(example) for example in gold], [str(label) for label in predicted])}
    if benchmark.task == "tagging":
        tags = [example.tags for example in gold if isinstance(example, Tagged)]
        return {"f1": entity_f1(tags, [tuple(map(str, found)) for found in predicted if isinstance(found, tuple)]).f1}
    questions = [example for example in gold if isinstance(example, Question)]
    answers = {question.id: [text for text, _ in question.answers] for question in questions}
    texts = {question.id: str(text) for question, text in zip(questions, predicted, strict=True)}
    f1, exact = question_scores(answers, texts, language)
    return {"f1": f1, "exact_match": exact}


def _label(example: Example) -> str:
    assert isinstance(example, Classified)
    return example.label


def write_results(
    results: Iterable[BenchmarkResult], predictions: Mapping[str, Sequence[object]], folder: Path
) -> None:
    """results.json, and predictions-LANG.jsonl with one JSON value a line in the order of the examples."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [asdict(result) for result in results]
    (folder / "results.json").write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for language, found in predictions.items():
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in found)
        (folder / f"predictions-{language}.jsonl").write_text(lines, encoding="utf-8")
