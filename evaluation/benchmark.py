"""The benchmarks of the paper: languages, metrics, chance, and the paper's numbers (XLM-R large)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["classification", "tagging", "span"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`chance` is the score in percent of an answer without knowledge, None where it is not a number.

    `paper` holds the headline metric of XLM-R, fine-tuned on English, by language.
    """

    name: str
    title: str
    task: Task
    metrics: tuple[str, ...]
    source: str
    chance: float | None
    paper: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        return self.metrics[0]


NER_TYPES = ("PER", "LOC", "ORG", "MISC")

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "xnli",
            "XNLI, cross-lingual transfer (table 1)",
            "classification",
            ("accuracy",),
            "en",
            100 / 3,
            {"en": 89.1, "fr": 84.1, "es": 85.1, "de": 83.9, "el": 82.9, "bg": 84.0, "ru": 81.2, "tr": 79.6,
             "ar": 79.8, "vi": 80.8, "th": 78.1, "zh": 80.2, "hi": 76.9, "sw": 73.9, "ur": 73.8},
            ("entailment", "neutral", "contradiction"),
        ),
        Benchmark(
            "ner",
            "NER, CoNLL-2002 and 2003, trained on English (table 2)",
            "tagging",
            ("f1",),
            "en",
            0.0,
            {"en": 92.92, "nl": 80.80, "es": 78.64, "de": 71.40},
            ("O", *(f"{part}-{kind}" for kind in NER_TYPES for part in "BI")),
        ),
        Benchmark(
            "mlqa",
            "MLQA, zero-shot from SQuAD (table 3)",
            "span",
            ("f1", "exact_match"),
            "en",
            0.0,
            {"en": 80.6, "es": 74.1, "de": 68.5, "ar": 63.1, "hi": 69.2, "vi": 71.3, "zh": 68.0},
        ),
        Benchmark(
            "sst2",
            "SST-2 of GLUE, dev set (table 4)",
            "classification",
            ("accuracy",),
            "en",
            50.0,
            {"en": 95.0},
            ("0", "1"),
        ),
    )
}  # fmt: skip
