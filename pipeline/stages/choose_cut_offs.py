"""Per language, the perplexities that part head, middle and tail of this dump (CCNet's percentiles 30 and 60).

CCNet ships a table made for its own language models; with models of our own the cut-offs come from a sample,
unless a table is given.
"""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field, model_validator

from ccnet.languages import LANGUAGES, script_free
from pipeline.draft import Draft
from pipeline.needs import all_units, named, same_crawl
from pipeline.shared_settings import CutOffSample
from pipeline.stage import Inputs, Stage
from pipeline.stages.identify import SAMPLE, language_of
from pipeline.stages.train_lm import language_models

CUT_OFFS = "cut_offs.json"


class ChooseCutOffsConfig(CutOffSample):
    head_percentile: int = Field(default=30, ge=1, le=98, description="percentile below which a document is head")
    tail_percentile: int = Field(default=60, ge=2, le=99, description="percentile from which a document is tail")

    @model_validator(mode="after")
    def _head_is_below_tail(self) -> ChooseCutOffsConfig:
        if self.head_percentile >= self.tail_percentile:
            raise ValueError(
                f"head_percentile {self.head_percentile} is not below tail_percentile {self.tail_percentile}"
            )
        return self


def choose_cut_offs(config: ChooseCutOffsConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.cut_offs import read_cut_offs
    from ccnet.perplexity import cut_offs, sample_perplexities

    if given := inputs.of("ingest"):
        [table] = inputs.folder(given[0], draft.scratch("cut-offs")).iterdir()
        table_of = read_cut_offs(table)
        found = {code: table_of.get(code, table_of.get(script_free(code))) for code in (*table_of, *LANGUAGES)}
        draft.write_json(CUT_OFFS, {code: asdict(limits) for code, limits in found.items() if limits})
        draft.add({"languages": len(found), "documents_sampled": 0})
        return
    sampled = [inputs.path(manifest, SAMPLE) for manifest in inputs.of("identify")]
    languages = {language_of(a.name) for manifest in inputs.of("identify") for a in manifest.artifacts}
    models = language_models(inputs, languages)
    samples = sample_perplexities(sampled, models, max_documents=config.cut_off_sample)
    chosen = {
        lang: asdict(cut_offs(found, config.head_percentile, config.tail_percentile))
        for lang, found in samples.items()
        if found
    }
    draft.write_json(CUT_OFFS, chosen)
    draft.add({"languages": len(chosen), "documents_sampled": sum(len(found) for found in samples.values())})


STAGE = Stage(
    name="choose_cut_offs",
    version=3,
    config=ChooseCutOffsConfig,
    body=choose_cut_offs,
    needs={"identify": same_crawl, "train_lm": all_units, "ingest": named("cut-offs")},
    optional=frozenset({"ingest", "train_lm"}),
    packages=("sentencepiece", "kenlm"),
)
