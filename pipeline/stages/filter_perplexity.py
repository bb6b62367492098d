"""Score each document with its language's model and sort it into head, middle, tail or all (CCNet section 4.2)."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from pipeline.draft import Draft
from pipeline.stage import Inputs, Match, Stage, StageConfig
from pipeline.stages.choose_cut_offs import CUT_OFFS
from pipeline.stages.identify import language_of
from pipeline.stages.train_lm import language_models


class FilterPerplexityConfig(StageConfig):
    """Nothing is thrown away here: whoever reads the corpus chooses the buckets."""

    unit: Literal["document", "paragraph"] = Field(default="document", description="what is scored (CCNet: document)")


def filter_perplexity(config: FilterPerplexityConfig, inputs: Inputs, draft: Draft) -> None:
    """A language at a time, so that one language model is opened and in memory."""
    from ccnet.perplexity import CutOffs, score_shard

    table = json.loads(inputs.path(inputs.one("choose_cut_offs"), CUT_OFFS).read_text(encoding="utf-8"))
    limits = {language: CutOffs(**values) for language, values in table.items()}
    identified = inputs.one("identify")
    names = [artifact.name for artifact in identified.artifacts if language_of(artifact.name)]
    for done, name in enumerate(names):
        models = language_models(inputs, {language_of(name)})
        documents = inputs.path(identified, name)
        draft.add(score_shard(documents, models, limits, draft.path(name), paragraphs=config.unit == "paragraph"))
        draft.progress(done + 1, len(names), "languages")


STAGE = Stage(
    name="filter_perplexity",
    version=3,
    config=FilterPerplexityConfig,
    body=filter_perplexity,
    needs={"identify": Match.SAME_UNIT, "train_lm": Match.ALL, "choose_cut_offs": Match.SAME_CRAWL},
    packages=("sentencepiece", "kenlm", "pyarrow"),
)
