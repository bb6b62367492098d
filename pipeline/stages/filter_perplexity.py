"""Score each document with its language's model and sort it into head, middle, tail or all (CCNet section 4.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.draft import Draft
from pipeline.needs import all_units, same_crawl, same_unit
from pipeline.shared_settings import TextUnit
from pipeline.stage import Inputs, Stage
from pipeline.stages.choose_cut_offs import CUT_OFFS
from pipeline.stages.identify import language_of
from pipeline.stages.train_lm import language_models
from pipeline.statistics import STATISTICS

MARKS = "marks"  # the folder of LANG.marks: 64 bits of each text, in the order of the documents


class FilterPerplexityConfig(TextUnit):
    """Nothing is thrown away here: whoever reads the corpus chooses the buckets."""


def filter_perplexity(config: FilterPerplexityConfig, inputs: Inputs, draft: Draft) -> None:
    """A language at a time, so that one language model is opened and in memory."""
    from ccnet.perplexity import CutOffs, score_shard

    table = json.loads(inputs.path(inputs.one("choose_cut_offs"), CUT_OFFS).read_text(encoding="utf-8"))
    limits = {language: CutOffs(**values) for language, values in table.items()}
    identified = inputs.one("identify")
    names = [artifact.name for artifact in identified.artifacts if language_of(artifact.name)]
    described = SliceDescription(draft)
    for done, name in enumerate(names):
        language = language_of(name)
        models = language_models(inputs, {language})
        with described.language(language) as on_batch:
            draft.add(
                score_shard(
                    inputs.path(identified, name), models, limits, draft.path(name),
                    paragraphs=config.unit == "paragraph", on_batch=on_batch,
                )
            )  # fmt: skip
        draft.progress(done + 1, len(names), "languages")
    described.write()


class SliceDescription:
    """What a slice leaves beside its documents: statistics of each language, and 64 bits of each text in order."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._statistics: dict[str, Any] = {}

    @contextmanager
    def language(self, language: str) -> Iterator[Callable[[Any], None]]:
        """Gives what is to see each batch of the language's documents."""
        from ccnet.release import text_marks
        from ccnet.stats import LanguageStatistics

        statistics = LanguageStatistics()
        with self._draft.path(f"{MARKS}/{language}.marks").open("wb") as marks:

            def on_batch(batch: Any) -> None:
                statistics.add(batch)
                marks.write(text_marks(batch))

            yield on_batch
        self._statistics[language] = statistics.to_json()

    def write(self) -> None:
        self._draft.write_json(STATISTICS, self._statistics)


STAGE = Stage(
    name="filter_perplexity",
    version=4,
    config=FilterPerplexityConfig,
    body=filter_perplexity,
    needs={"identify": same_unit, "train_lm": all_units, "choose_cut_offs": same_crawl},
    optional=frozenset({"train_lm"}),
    packages=("sentencepiece", "kenlm", "pyarrow"),
)
