"""Everything that a run can be asked for, in one form: the command line's options and Airflow's trigger form.

Each field has a default that suits the embedded run, bounds, and a description with its unit.
`stage_config` says which of them each stage reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ccnet.languages import LANGUAGES, script_free
from pipeline.errors import BadConfig

CRAWL_PATTERN = r"^CC-MAIN-\d{4}-\d{2}$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]{0,39}$"
DIGEST_PATTERN = r"^([0-9a-f]{64})?$"
COMMON_CRAWL = "https://data.commoncrawl.org/"
Benchmark = Literal["xnli", "ner", "mlqa", "sst2"]
BENCHMARKS: tuple[Benchmark, ...] = ("xnli", "ner", "mlqa", "sst2")


def _digest(of: str) -> Any:
    return Field(default="", pattern=DIGEST_PATTERN, description=f"SHA-256 of the {of}; empty: not checked")


class RunSettings(BaseModel):
    """What to build, from what, and how large."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(description="object store of all artifacts: file:///folder or s3://bucket/prefix")
    source: str = Field(default=COMMON_CRAWL, description="base of the crawl in Common Crawl's layout: https or file")
    kind: Literal["warc", "wet"] = Field(default="warc", description="read pages (warc) or Common Crawl's text (wet)")
    crawls: tuple[str, ...] = Field(min_length=1, max_length=100, description="ids of the dumps: CC-MAIN-YYYY-WW")
    slices: int = Field(default=2, ge=1, le=200, description="units of work a dump is cut into")
    segments: int = Field(default=0, ge=0, description="files of each dump to read, from the first; 0: all")
    languages: tuple[str, ...] = Field(
        default=("en",),
        min_length=1,
        max_length=150,
        description="codes of the paper's languages, e.g. en, sw, zh-Hans",
    )
    min_characters: int = Field(
        default=300, ge=1, le=100_000, description="a page's least text, characters (CCNet: 300)"
    )
    dedup: Literal["dump", "global"] = Field(
        default="dump",
        description="dump: paragraphs in two or more documents of a dump lose all copies (CCNet); global: the first "
        "copy in all dumps stays",
    )
    dedup_ranges: int = Field(
        default=1, ge=1, le=200, description="tasks that find a dump's duplicates, each in a range of the hashes"
    )
    dedup_memory_gib: float = Field(
        default=2.0, gt=0, le=1024, description="memory of one task that finds duplicates, GiB"
    )
    unit: Literal["document", "paragraph"] = Field(
        default="document", description="what is given a language and a perplexity (CCNet: whole documents)"
    )
    dumps_of: dict[str, tuple[str, ...]] = Field(
        default={},
        description='the dumps that a language is taken from, e.g. {"en": ["CC-MAIN-2018-51"]}; languages not named '
        "take all (the paper: one dump for English, twelve for the others)",
    )
    language_threshold: float = Field(default=0.5, ge=0, le=1, description="least score of the language identifier")
    classifier_threshold: float = Field(
        default=0.8, ge=0, le=1, description="least score of our own classifier, on codes that the identifier lacks"
    )
    language_identifier: str = Field(description="a fastText model: URI or path of lid.176.ftz or .bin")
    language_identifier_sha256: str = _digest("model")
    label_map: str = Field(
        default="",
        description="table LABEL, tab, code of the identifier's labels: URI or path; empty: codes, or LANGUAGE_Script "
        "as GlotLID and OpenLID have them",
    )
    label_map_sha256: str = _digest("table")
    reference: str = Field(
        default="",
        description="folder of LANG.txt.gz that language models are trained on: URI or path; empty: no models",
    )
    reference_sha256: str = _digest("folder")
    language_model_order: int = Field(default=5, ge=2, le=6, description="order of the KenLM n-grams (CCNet: 5)")
    language_model_pieces: int = Field(
        default=65_536,
        ge=100,
        le=500_000,
        description="most SentencePiece pieces of a language model (CCNet: 65,536)",
    )
    language_model_prune: tuple[int, ...] = Field(
        default=(), max_length=6, description="lmplz --prune: counts at or below go, one an order, e.g. 0 0 1"
    )
    language_model_structure: Literal["probing", "trie"] = Field(
        default="probing", description="build_binary's structure: probing is fast (CCNet), trie takes half the memory"
    )
    language_model_bits: int = Field(
        default=0, ge=0, le=25, description="bits of a trie's quantised probabilities and backoffs; 0: not quantised"
    )
    language_models: str = Field(
        default="",
        description="folder of LANG.sp.model and LANG.arpa.bin to use as they are: URI, URL (CCNet's own: "
        "http://dl.fbaipublicfiles.com/cc_net/lm) or path; zh serves zh-Hans and zh-Hant where these are not there",
    )
    language_models_sha256: str = _digest("folder")
    cut_offs: str = Field(
        default="",
        description="table of percentiles 30 and 60 by language, or CCNet's cutoff.csv: URI or path; empty: sampled",
    )
    cut_offs_sha256: str = _digest("table")
    filters: str = Field(
        default="",
        description="folder of blocked-urls.txt, boilerplate.txt, thresholds.tsv (any of them): URI or path; empty: "
        "CCNet's steps alone",
    )
    filters_sha256: str = _digest("folder")
    mask_contacts: bool = Field(default=False, description="mask emails and IP addresses")
    keep_excluded: bool = Field(default=False, description="keep what the filters drop, with its reason, aside")
    cut_off_sample: int = Field(
        default=2_000, ge=10, le=1_000_000, description="documents of a language and dump that cut-offs are taken from"
    )
    release: str = Field(default="cc100", pattern=NAME_PATTERN, description="name of the published corpus")
    near_duplicates: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Jaccard similarity of five-word shingles from which near-duplicates are dropped (MinHash); 0: off",
    )
    buckets: tuple[Literal["head", "middle", "tail", "all"], ...] = Field(
        default=("head", "middle", "tail", "all"),
        min_length=1,
        description="perplexity buckets that are trained on",
    )
    vocabulary_size: int = Field(
        default=8_000, ge=200, le=1_000_000, description="SentencePiece pieces (paper: 250,000)"
    )
    alpha: float = Field(default=0.3, gt=0, le=1, description="exponent of language sampling (paper: 0.3)")
    model: Literal["tiny", "base", "large"] = Field(default="tiny", description="size of the encoder")
    block_tokens: int = Field(default=128, ge=16, le=4096, description="tokens of one training block (paper: 512)")
    batch_blocks: int = Field(default=32, ge=1, le=65_536, description="blocks of one update (paper: 8,192)")
    steps: int = Field(default=400, ge=1, le=10_000_000, description="updates (paper: 1,500,000)")
    peak_learning_rate: float = Field(default=1e-3, gt=0, le=1, description="highest learning rate")
    warmup_steps: int = Field(default=40, ge=0, description="updates over which the learning rate rises")
    checkpoint_steps: int = Field(default=50, ge=1, description="updates between two checkpoints")
    processes: int = Field(default=2, ge=1, le=8192, description="torchrun processes of pretraining on this machine")
    seed: int = Field(default=1, ge=0, le=2**31, description="seed of sampling, masking and initial weights")
    benchmarks: tuple[Benchmark, ...] = Field(
        default=BENCHMARKS, min_length=1, description="what the model is evaluated on"
    )
    benchmark_data: str = Field(default="", description="folder of the benchmark files: URI or path")
    benchmark_data_sha256: str = _digest("folder")
    seeds: tuple[int, ...] = Field(
        default=(1,), min_length=1, max_length=20, description="fine-tuning seeds (paper: 5)"
    )

    @field_validator("crawls")
    @classmethod
    def _crawls_are_ids(cls, crawls: tuple[str, ...]) -> tuple[str, ...]:
        import re

        for crawl in crawls:
            if not re.match(CRAWL_PATTERN, crawl):
                raise ValueError(f"{crawl!r} is no crawl id: wanted CC-MAIN-YYYY-WW, e.g. CC-MAIN-2019-35")
        return tuple(sorted(set(crawls)))

    @field_validator("languages")
    @classmethod
    def _languages_are_known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f"{language!r} is no language of CC-100: wanted codes such as en, sw, zh-Hans")
        return tuple(sorted(set(languages)))

    @model_validator(mode="after")
    def _dumps_of_are_named(self) -> RunSettings:
        for language, dumps in self.dumps_of.items():
            if language not in self.languages:
                raise ValueError(f"dumps_of names {language!r}, which is not among the languages: add or remove it")
            if not dumps or not set(dumps) <= set(self.crawls):
                raise ValueError(f"dumps_of {language!r} is {', '.join(dumps) or 'empty'}: wanted some of the crawls")
        for crawl in self.crawls:
            if not self.languages_of(crawl):
                raise ValueError(f"dumps_of leaves {crawl} without a language: remove the crawl or name a language")
        return self

    def languages_of(self, crawl: str) -> tuple[str, ...]:
        """The languages that are taken from a dump."""
        return tuple(lang for lang in self.languages if crawl in self.dumps_of.get(lang, self.crawls))

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunSettings:
        """Check settings that came from outside.  Raises BadConfig with one line for all faults."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise BadConfig(faults) from error

    def slice_names(self) -> tuple[str, ...]:
        """Units of the corpus half, e.g. CC-MAIN-2019-35/00000-of-00002 (CCNet's shards)."""
        return tuple(
            f"{crawl}/{index:05d}-of-{self.slices:05d}" for crawl in self.crawls for index in range(self.slices)
        )

    def range_names(self) -> tuple[str, ...]:
        """Units of find_duplicates, e.g. CC-MAIN-2019-35/range-00000-of-00001."""
        of = f"of-{self.dedup_ranges:05d}"
        return tuple(f"{crawl}/range-{index:05d}-{of}" for crawl in self.crawls for index in range(self.dedup_ranges))


def model_names(languages: Iterable[str]) -> tuple[str, ...]:
    """The files that a folder of language models may have for these languages."""
    codes = sorted({code for language in languages for code in (language, script_free(language))})
    return tuple(f"{code}.{name}" for code in codes for name in ("sp.model", "arpa.bin"))


def stage_config(settings: RunSettings, stage: str, unit: str) -> dict[str, Any]:
    """The config of one unit of one stage."""
    s = settings
    sample = 0 if s.cut_offs else s.cut_off_sample
    match stage:
        case "ingest":
            source = getattr(s, INGESTED[unit])
            listed = unit == "language-models" and source.startswith(("http://", "https://"))
            return {"source": source, "sha256": getattr(s, f"{INGESTED[unit]}_sha256"),
                    "names": model_names(s.languages) if listed else ()}  # fmt: skip
        case "fetch":
            return {"source": s.source, "kind": s.kind, "max_files": s.segments}
        case "extract":
            return {"min_characters": s.min_characters}
        case "hash_paragraphs":
            return {"ranges": s.dedup_ranges}
        case "find_duplicates":
            return {"scope": s.dedup, "memory_gib": s.dedup_memory_gib}
        case "deduplicate":
            return {"keep_first": s.dedup == "global"}
        case "identify":
            own = s.classifier_threshold
            return {"languages": s.languages_of(unit.split("/")[0]), "threshold": s.language_threshold,
                    "classifier_threshold": own, "unit": s.unit, "sample": sample}  # fmt: skip
        case "choose_cut_offs":
            return {"max_documents": sample}
        case "filter_perplexity":
            return {"unit": s.unit}
        case "train_lid":
            return {"languages": s.languages}
        case "train_lm":
            return {"order": s.language_model_order, "pieces": s.language_model_pieces,
                    "prune": s.language_model_prune, "structure": s.language_model_structure,
                    "bits": s.language_model_bits}  # fmt: skip
        case "filter_documents":
            return {"mask": s.mask_contacts, "keep_excluded": s.keep_excluded}
        case "regroup":
            return {"name": s.release, "near_duplicates": s.near_duplicates, "memory_gib": s.dedup_memory_gib}
        case "train_vocabulary":
            return {"size": s.vocabulary_size, "alpha": s.alpha, "buckets": s.buckets, "seed": s.seed}
        case "encode":
            return {"block_tokens": s.block_tokens, "buckets": s.buckets}
        case "pretrain":
            shared = ("model", "block_tokens", "batch_blocks", "steps", "peak_learning_rate", "warmup_steps",
                      "checkpoint_steps", "processes", "alpha", "seed")  # fmt: skip
            return {name: getattr(s, name) for name in shared}
        case "evaluate":
            benchmark, seed = unit.split("/seed-")
            return {
                "benchmark": benchmark,
                "seed": int(seed),
                "preset": "tiny" if s.model == "tiny" else "paper",
            }
        case _:
            return {}


# Units of the stage `ingest` and the setting that says where each comes from.
INGESTED = {
    "language-identifier": "language_identifier",
    "label-map": "label_map",
    "reference": "reference",
    "language-models": "language_models",
    "cut-offs": "cut_offs",
    "filters": "filters",
    "benchmarks": "benchmark_data",
}
