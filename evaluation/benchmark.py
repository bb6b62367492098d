"""What a benchmark is: how its files are read, its official metrics, its settings, and what was published on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from evaluation.metrics.metric import Metric
from evaluation.published_files import PublishedFiles
from evaluation.records import Parts, Splits, Task
from evaluation.settings import FinetuneConfig, Setting


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a published table: scores of the first metric, and of the second where there are two, by test set.

    `models` is the paper's #M (N: an epoch or model for each language), `corpus` its D, `languages` its #lg.
    """

    system: str
    setting: Setting
    scores: Mapping[str, float]
    average: float | None = None
    models: str = ""
    corpus: str = ""
    languages: int = 0
    second: Mapping[str, float] = field(default_factory=dict)
    second_average: float | None = None
    table: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`folders`: names under which its files lie below the data folder.  `chance` in percent, None where no number.

    `read` gives all parts from that folder; `read_gold` gives one published file's examples by test set.
    `gold_order` gives the language of each row of a gold file that has several, in which order predictions come.
    `version` grows whenever reading or scoring changes what a row means.  `places` are the decimals in its tables.
    `tag_column`: where tags stand in its files, -1 for the last column.  `not_averaged`: test sets that its authors
    leave out of their mean.  `sizes`: part that is scored -> test set ("": each) -> its published number of examples,
    where that is known.
    """

    name: str
    title: str
    task: Task
    folders: tuple[str, ...]
    read: Callable[[Path, Path], Splits]
    read_gold: Callable[[Path], Parts]
    metrics: tuple[Metric, ...]
    settings: tuple[Setting, ...]
    licence: str
    home: str
    labels: tuple[str, ...] = ()
    source: str = "en"
    chance: float | None = None
    published: tuple[Published, ...] = ()
    finetuning: FinetuneConfig = field(default_factory=FinetuneConfig)
    gold_order: Callable[[Path], list[str]] | None = None
    version: int = 2
    places: int = 1
    tag_column: int = -1
    not_averaged: tuple[str, ...] = ()
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    published_files: PublishedFiles = field(default_factory=PublishedFiles)

    @property
    def headline(self) -> str:
        """The metric that tables show first."""
        return self.metrics[0].name

    def averaged(self, test_sets: Iterable[str]) -> list[str]:
        """Those of the test sets that enter their mean, in their order; all where the authors average none of them."""
        names = list(test_sets)
        return [name for name in names if name not in self.not_averaged] or names

    def mean_of(self, scores: Mapping[str, float]) -> float:
        """The mean of scores by test set, as the benchmark's authors average."""
        return fmean(scores[name] for name in self.averaged(scores))

    def published_size(self, part: str, test_set: str) -> int | None:
        """How many examples a published test set has; None where that is not known."""
        known = self.sizes.get(part, {})
        return known.get(test_set, known.get(""))

    @property
    def paper(self) -> Mapping[str, float]:
        """Scores of the paper's XLM-R (large) in the first setting, by test set."""
        return self.paper_scores(self.settings[0])

    def paper_scores(self, setting: str) -> Mapping[str, float]:
        """Scores of the paper's XLM-R (large) in a setting; empty where the paper has none."""
        for row in self.published:
            if row.system == "XLM-R" and row.setting == setting and row.table != "5":
                return row.scores
        return {}
