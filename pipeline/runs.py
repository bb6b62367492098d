"""The runs that a person starts: what each asks for, which stages it has, what it builds on.

The settings of a run are those of its stages, inherited, so that each is written once, beside its stage; what belongs
to no stage (which dump, which names) stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import to_jsonable_python

from pipeline.checkpoint_source import PATTERN, UNITS, ScoredName, is_outside, name_of
from pipeline.errors import BadConfig
from pipeline.settings_faults import told_faults
from pipeline.shared_settings import CRAWL_PATTERN, NAME_PATTERN, Languages, ReleaseName
from pipeline.stage import StageConfig
from pipeline.stages.choose_cut_offs import ChooseCutOffsConfig
from pipeline.stages.deduplicate import DeduplicateConfig
from pipeline.stages.encode import EncodeConfig
from pipeline.stages.evaluate import BENCHMARKS, Benchmark, FinetuningChoices
from pipeline.stages.extract import ExtractConfig
from pipeline.stages.fetch import FetchChoices
from pipeline.stages.filter_documents import FilterDocumentsConfig
from pipeline.stages.filter_perplexity import FilterPerplexityConfig
from pipeline.stages.find_copies import FindCopiesConfig
from pipeline.stages.find_duplicates import FindDuplicatesConfig
from pipeline.stages.hash_paragraphs import HashParagraphsConfig
from pipeline.stages.identify import IdentifyConfig
from pipeline.stages.index_benchmarks import IndexBenchmarksConfig
from pipeline.stages.pretrain import PretrainConfig
from pipeline.stages.regroup import RegroupChoices
from pipeline.stages.sample_vocabulary import SampleVocabularyConfig
from pipeline.stages.train_lid import TrainLidConfig
from pipeline.stages.train_lm import TrainLmConfig
from pipeline.stages.train_vocabulary import TrainVocabularyConfig


class RunSettings(StageConfig):
    """What a run is asked for."""

    def values(self) -> dict[str, Any]:
        """All settings as JSON has them, also those that change no bytes."""
        found: dict[str, Any] = to_jsonable_python({name: getattr(self, name) for name in type(self).model_fields})
        return found

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check settings that came from outside.  Raises BadConfig with one line for all faults."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise BadConfig(told_faults(error, cls, _runs_with)) from error


def _runs_with(setting: str) -> list[str]:
    return [run.name for run in RUNS.values() if setting in run.settings.model_fields]


class LanguageModelsSettings(TrainLmConfig, TrainLidConfig, RunSettings):
    """Language models and the classifier: they belong to languages, so all dumps share them."""


class DumpChoices(
    FilterDocumentsConfig, FilterPerplexityConfig, ChooseCutOffsConfig, IdentifyConfig, DeduplicateConfig,
    FindDuplicatesConfig, HashParagraphsConfig, ExtractConfig, FetchChoices, RunSettings,
):  # fmt: skip
    """How a dump becomes scored documents of each language."""

    slices: int = Field(
        default=200,
        ge=1,
        le=200,
        description="slices that a dump is cut into (CCNet's shards); a task takes one, of cheap stages two",
    )


class CorpusSettings(DumpChoices):
    """One dump."""

    crawl: str = Field(pattern=CRAWL_PATTERN, description="id of the dump, e.g. CC-MAIN-2019-35")
    missing_models: Literal["fail", "wait", "skip"] = Field(
        default="fail",
        description="languages without a language model: the run fails and names them, waits for "
        "xlmr_language_models, or skips perplexity for them (their documents go to the bucket `all`)",
    )


class ReleaseChoices(Languages, RegroupChoices, IndexBenchmarksConfig, FindCopiesConfig, RunSettings):
    """How the dumps' documents become a release."""

    part_gib: float = Field(
        default=7.0,
        gt=0,
        le=10_000,
        description="text of a language that one task gathers, GiB; its size is taken from the paper's Table 6",
    )

    def languages_of(self, crawl: str) -> tuple[str, ...]:
        """The languages that are taken from a dump."""
        return tuple(lang for lang in self.languages if crawl in self.dumps_of.get(lang, (crawl,)))


class ReleaseSettings(ReleaseChoices):
    """A named set of languages and dumps."""

    dumps: tuple[str, ...] = Field(
        default=(), max_length=200, description="dumps of the release; empty: all that the store has"
    )
    missing_dumps: Literal["fail", "wait"] = Field(
        default="fail", description="dumps without a finished corpus run: the run fails and names them, or waits"
    )

    @field_validator("dumps")
    @classmethod
    def _dumps_are_ids(cls, dumps: tuple[str, ...]) -> tuple[str, ...]:
        return _crawl_ids(dumps)

    @model_validator(mode="after")
    def _dumps_of_are_named(self) -> Self:
        _check_dumps_of(self, self.dumps)
        return self


class VocabularyChoices(TrainVocabularyConfig, SampleVocabularyConfig, RunSettings):
    """How large, and from how much text."""

    vocabulary: str = Field(
        default="", pattern=rf"^$|{NAME_PATTERN}", description="name of the vocabulary; empty: that of the release"
    )


class VocabularySettings(VocabularyChoices, ReleaseName):
    """One vocabulary of a release."""

    @property
    def vocabulary_name(self) -> str:
        return self.vocabulary or self.release


class PretrainChoices(EncodeConfig, PretrainConfig, RunSettings):
    """Size and length of a training run."""

    model_name: str = Field(
        default="",
        pattern=rf"^$|{NAME_PATTERN}",
        description="name of the checkpoint; empty: VOCABULARY-MODEL, or START-RELEASE with start_from",
    )


class PretrainSettings(PretrainChoices):
    """One model of a vocabulary."""

    vocabulary: str = Field(default="cc100", pattern=NAME_PATTERN, description="name of the vocabulary")

    @property
    def checkpoint_name(self) -> str:
        started = f"{self.start_from.replace('@', '-')}-{self.training_release}"
        return self.model_name or (started if self.start_from else f"{self.vocabulary}-{self.model}")

    @model_validator(mode="after")
    def _has_a_name_of_its_own(self) -> Self:
        if self.start_from and self.checkpoint_name == self.start_from:
            raise ValueError(f"model_name {self.model_name} is the checkpoint to go on from: choose another name")
        return self


class EvaluateChoices(FinetuningChoices, RunSettings):
    """What a checkpoint is scored on."""

    benchmarks: tuple[Benchmark, ...] = Field(
        default=BENCHMARKS, min_length=1, description="benchmarks to fine-tune on and score"
    )
    seeds: tuple[int, ...] = Field(
        default=(1,), min_length=1, max_length=20, description="fine-tuning seeds (paper: 5)"
    )


class EvaluateSettings(EvaluateChoices):
    """One checkpoint."""

    checkpoint: str = Field(
        default="cc100-tiny",
        pattern=PATTERN,
        description="name of a checkpoint of the store (NAME@UPDATE: one of its milestones), or URI of its manifest; "
        "or any Hugging Face encoder: a folder (path, file:// or s3:// URI) or hf://OWNER/NAME[@REVISION]",
    )
    model_name: str = Field(
        default="",
        pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="name under which the scores of a model from outside stand; empty: OWNER/NAME or the folder's",
    )

    @property
    def checkpoint_name(self) -> str:
        return self.model_name or name_of(self.checkpoint)

    @model_validator(mode="after")
    def _only_outside_models_are_named(self) -> Self:
        if self.model_name and not is_outside(self.checkpoint):
            raise ValueError(f"model_name {self.model_name}: {self.checkpoint} has its name in the store already")
        return self


class ReevaluateSettings(EvaluateChoices):
    """Checkpoints to score again, and what counts as a regression."""

    checkpoints: tuple[ScoredName, ...] = Field(
        default=(), max_length=100, description="names of scored models (`xlmr report`); empty: the store's latest"
    )
    seeds: tuple[int, ...] = Field(
        default=(1, 2, 3),
        min_length=1,
        max_length=20,
        description="fine-tuning seeds (paper: 5); one alone does not tell the spread between seeds",
    )
    significance: float = Field(
        default=0.01, gt=0, lt=1, description="chance that noise counts as a change, over a benchmark's languages"
    )
    margin: float = Field(default=0.0, ge=0, le=100, description="points below which a difference counts as noise")
    accept_regressions: bool = Field(
        default=False, description="keep the verdict, but do not fail: the checkpoint is meant to be as it is"
    )


class EndToEndSettings(
    EvaluateChoices, PretrainChoices, VocabularyChoices, ReleaseChoices, DumpChoices, LanguageModelsSettings
):
    """The five runs and the language models, one after another."""

    dumps: tuple[str, ...] = Field(min_length=1, max_length=200, description="ids of the dumps, e.g. CC-MAIN-2019-35")

    @field_validator("dumps")
    @classmethod
    def _dumps_are_ids(cls, dumps: tuple[str, ...]) -> tuple[str, ...]:
        return _crawl_ids(dumps)

    @model_validator(mode="after")
    def _dumps_of_are_named(self) -> Self:
        _check_dumps_of(self, self.dumps)
        for name in ("start_from", "training_release"):
            if getattr(self, name):
                raise ValueError(f"{name}: end_to_end trains new weights on its own release: start a pretrain run")
        for crawl in self.dumps:
            if not self.languages_of(crawl):
                raise ValueError(f"dumps_of leaves {crawl} without a language: remove the dump or name a language")
        return self

    @property
    def vocabulary_name(self) -> str:
        return self.vocabulary or self.release

    @property
    def checkpoint_name(self) -> str:
        return self.model_name or f"{self.vocabulary_name}-{self.model}"


def _crawl_ids(dumps: tuple[str, ...]) -> tuple[str, ...]:
    import re

    for crawl in dumps:
        if not re.match(CRAWL_PATTERN, crawl):
            raise ValueError(f"{crawl!r} is no id of a dump: wanted one such as CC-MAIN-2019-35")
    return tuple(sorted(set(dumps)))


def _check_dumps_of(settings: ReleaseChoices, dumps: tuple[str, ...]) -> None:
    for language, some in settings.dumps_of.items():
        if language not in settings.languages:
            raise ValueError(f"dumps_of names {language!r}, which is not among the languages: add or remove it")
        if not some or (dumps and not set(some) <= set(dumps)):
            raise ValueError(f"dumps_of {language!r} is {', '.join(some) or 'empty'}: wanted some of the dumps")


@dataclass(frozen=True)
class Run:
    """One kind of run.

    `summary` is a short sentence for lists of commands; `about` says what a run reads and makes; `stages` stand in the
    order in which they run; `through`: stages of the manifests that a run builds on whose own inputs it reads as well;
    `form`: section -> the settings that people choose often (all others stand in a section of rare ones).
    """

    name: str
    summary: str
    about: str
    settings: type[RunSettings]
    stages: tuple[str, ...]
    ingests: tuple[str, ...]
    form: Mapping[str, tuple[str, ...]]
    through: tuple[str, ...] = ()

    @property
    def dag_id(self) -> str:
        return f"xlmr_{self.name}"


LANGUAGE_MODELS = Run(
    "language_models",
    "Train a language model for each language.",
    "Train a KenLM language model for each language, and one fastText language classifier, on the reference text that "
    "the deployment names. All dumps share them.",
    LanguageModelsSettings,
    ("ingest", "train_lid", "train_lm"),
    ("language-identifier", "label-map", "other-text", "reference/", "language-models/"),
    {"Languages": ("languages",), "Language models": ("language_model_order", "language_model_pieces")},
)
CORPUS = Run(
    "corpus",
    "Turn a dump into scored documents.",
    "Turn one dump of Common Crawl into documents of each language with their perplexity.",
    CorpusSettings,
    ("ingest", "fetch", "extract", "hash_paragraphs", "gather_hashes", "find_duplicates", "deduplicate", "identify",
     "choose_cut_offs", "filter_perplexity", "fetch_robots", "read_robots", "gather_robots", "filter_documents",
     "summarize"),
    ("language-identifier", "label-map", "second-identifier", "cut-offs", "filters"),
    {"Dump": ("crawl", "languages", "kind", "segments"),
     "Documents": ("dedup", "unit", "mask_contacts", "robots_agents"), "Tasks": ("slices", "missing_models")},
)  # fmt: skip
RELEASE = Run(
    "release",
    "Publish a release of finished dumps.",
    "Publish the documents of a named set of languages and dumps as Parquet files, each text once. The dumps' corpus "
    "runs must have finished.",
    ReleaseSettings,
    ("ingest", "index_benchmarks", "find_copies", "list_hosts", "find_removals", "regroup", "publish"),
    ("benchmarks", "benchmarks/"),
    {"Release": ("release", "dumps", "languages"), "Documents": ("near_duplicates", "decontaminate")},
    through=("summarize",),
)
VOCABULARY = Run(
    "vocabulary",
    "Train a vocabulary on a release.",
    "Train one SentencePiece vocabulary for all languages of a release.",
    VocabularySettings,
    ("sample_vocabulary", "train_vocabulary"),
    (),
    {"Release": ("release", "buckets"), "Vocabulary": ("vocabulary", "vocabulary_size", "alpha", "sample_characters")},
    through=("publish",),
)
PRETRAIN = Run(
    "pretrain",
    "Pretrain a model and export it.",
    "Encode the release with a vocabulary, pretrain one masked language model on it, and export it as a Hugging Face "
    "folder.",
    PretrainSettings,
    ("encode", "pretrain", "export"),
    (),
    {"Model": ("vocabulary", "model", "recipe_settings", "model_name"), "Data": ("alpha", "block_tokens"),
     "Training": ("steps", "batch_blocks", "peak_learning_rate", "warmup_steps", "processes", "seed")},
    through=("train_vocabulary", "publish"),
)  # fmt: skip
EVALUATE = Run(
    "evaluate",
    "Fine-tune a model and score it.",
    "Fine-tune one exported model on each benchmark and seed, score it with the official metrics, and write a report.",
    EvaluateSettings,
    ("ingest", "evaluate", "report"),
    ("benchmarks", "benchmarks/", UNITS),
    {"Checkpoint": ("checkpoint", "model_name"), "Benchmarks": ("benchmarks", "seeds", "finetuning")},
    through=("export", "pretrain", "train_vocabulary"),
)
REEVALUATE = Run(
    "reevaluate",
    "Score checkpoints again and compare.",
    "Score what has no result yet, or whose data, scorer or code has changed since, and compare each checkpoint with "
    "the last results of its name.",
    ReevaluateSettings,
    ("ingest", "evaluate"),
    ("benchmarks", "benchmarks/"),
    {"Checkpoints": ("checkpoints",), "Benchmarks": ("benchmarks", "seeds", "finetuning"),
     "Regressions": ("significance", "margin", "accept_regressions")},
)  # fmt: skip
END_TO_END = Run(
    "end_to_end",
    "Run everything, from crawl to scores.",
    "Run everything, one after another: language models, corpus, release, vocabulary, pretraining and evaluation.",
    EndToEndSettings,
    ("ingest", "train_lid", "train_lm", *CORPUS.stages[1:], *RELEASE.stages[1:], *VOCABULARY.stages, *PRETRAIN.stages,
     *EVALUATE.stages[1:]),
    (*LANGUAGE_MODELS.ingests, "second-identifier", "cut-offs", "filters", "benchmarks", "benchmarks/"),
    {"Corpus": ("dumps", "languages", "segments", "release"), "Vocabulary": ("vocabulary_size", "alpha"),
     "Model": ("model", "steps", "batch_blocks"), "Evaluation": ("benchmarks", "seeds")},
)  # fmt: skip

RUNS = {
    run.name: run for run in (LANGUAGE_MODELS, CORPUS, RELEASE, VOCABULARY, PRETRAIN, EVALUATE, REEVALUATE, END_TO_END)
}
