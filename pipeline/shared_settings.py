"""Settings that several stages read; each is written once, here, and inherited by the configs of those stages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ccnet.languages import LANGUAGES
from pipeline.stage import StageConfig

NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]{0,39}$"
CHECKPOINT_PATTERN = r"^[a-z0-9][a-z0-9.-]{0,39}(@\d{1,8})?$"  # a milestone is NAME@UPDATE
CRAWL_PATTERN = r"^CC-MAIN-\d{4}(-\d{2}|-\d{4})?$"  # year and week; the dumps of 2008 to 2012 are named otherwise
Bucket = Literal["head", "middle", "tail", "all"]
BUCKETS: tuple[Bucket, ...] = ("head", "middle", "tail", "all")


class Languages(StageConfig):
    languages: tuple[str, ...] = Field(
        default=tuple(sorted(LANGUAGES)),
        min_length=1,
        max_length=150,
        description="codes of the paper's languages, e.g. en, sw, zh-Hans",
    )

    @field_validator("languages")
    @classmethod
    def _languages_are_known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f"{language!r} is no language of CC-100: wanted codes such as en, sw, zh-Hans")
        return tuple(sorted(set(languages)))


class TextUnit(StageConfig):
    unit: Literal["document", "paragraph"] = Field(
        default="document", description="what gets one language and one perplexity (CCNet: a whole document)"
    )


class DedupScope(StageConfig):
    dedup: Literal["dump", "global"] = Field(
        default="dump",
        description="dump: a paragraph of two or more documents of the dump is removed from all (CCNet); global: its "
        "first copy in all dumps is kept; dumps count in the order in which they were added",
    )


class DedupRanges(StageConfig):
    dedup_ranges: int = Field(
        default=40, ge=1, le=200, description="ranges of hashes, each searched for duplicates by one task"
    )


class DedupMemory(StageConfig):
    dedup_memory_gib: float = Field(
        default=2.0,
        gt=0,
        le=1024,
        exclude=True,  # changes no byte, so it is no part of a fingerprint
        description="memory of one task that finds duplicates, GiB",
    )


class CutOffSample(StageConfig):
    cut_off_sample: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="documents of a language and dump from which perplexity cut-offs are taken; 0: none",
    )


class ReleaseName(StageConfig):
    release: str = Field(default="cc100", pattern=NAME_PATTERN, description="name of the published corpus")


class NearDuplicates(StageConfig):
    near_duplicates: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Jaccard similarity of five-word shingles from which near-duplicates are dropped (MinHash); 0: off",
    )


class Buckets(StageConfig):
    buckets: tuple[Bucket, ...] = Field(
        default=BUCKETS, min_length=1, description="perplexity buckets that vocabulary and model are trained on"
    )


class Alpha(StageConfig):
    alpha: float = Field(default=0.3, gt=0, le=1, description="exponent of language sampling (paper: 0.3)")


class Seed(StageConfig):
    seed: int = Field(default=1, ge=0, le=2**31, description="seed of sampling, masking and initial weights")


class BlockTokens(StageConfig):
    block_tokens: int = Field(
        default=128, ge=16, le=4096, description="tokens of one training block, specials included (paper: 512)"
    )


class StartFrom(StageConfig):
    start_from: str = Field(
        default="",
        pattern=rf"^$|{CHECKPOINT_PATTERN}",
        exclude=True,  # the checkpoint's manifest is among the inputs
        description="checkpoint of the store to go on from, e.g. xlm-r-base or cc100-base@50000; its sizes replace "
        "`model`, its vocabulary `vocabulary`; empty: new weights",
    )


class TrainingRelease(StageConfig):
    training_release: str = Field(
        default="",
        pattern=rf"^$|{NAME_PATTERN}",
        exclude=True,  # its manifest is among the inputs
        description="release whose text the model is trained on; empty: that of the vocabulary",
    )
