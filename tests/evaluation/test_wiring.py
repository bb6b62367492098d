"""What a run can be asked for is what the library has."""

from __future__ import annotations

from typing import get_args

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.settings import SELECTIONS, SETTINGS, Preset
from pipeline.errors import BadConfig
from pipeline.stages.evaluate import (
    KNOWN_BENCHMARKS,
    NOT_FINETUNED,
    EvaluateConfig,
    FinetuningChoices,
    check_choices,
    seeds_of,
)


def test_a_run_can_be_asked_for_every_benchmark_setting_and_selection() -> None:
    fields = FinetuningChoices.model_fields
    assert tuple(BENCHMARKS) == KNOWN_BENCHMARKS
    assert get_args(fields["benchmark_setting"].annotation) == ("default", *SETTINGS)
    assert get_args(fields["selection"].annotation) == ("default", *SELECTIONS)
    assert get_args(fields["finetuning"].annotation) == get_args(Preset)


def test_retrieval_alone_is_not_finetuned_and_has_one_seed() -> None:
    assert tuple(name for name, each in BENCHMARKS.items() if each.task == "retrieval") == NOT_FINETUNED
    choices, seeds = FinetuningChoices(), (1, 2, 3)
    assert [seeds_of(choices, name, seeds) for name in ("tatoeba", "xnli")] == [(1,), seeds]
    assert seeds_of(FinetuningChoices(finetuning="euroeval"), "tatoeba", seeds) == seeds


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ({"benchmark_setting": "transfer", "selection": "source"}, ("default", "default")),
        ({"benchmark_setting": "translate-train-all", "selection": "joint"}, ("translate-train-all", "default")),
        ({"benchmark_setting": "translate-train-all", "selection": "source"}, ("translate-train-all", "source")),
        ({"selection": "joint"}, ("default", "joint")),
        ({}, ("default", "default")),
    ],
)
def test_a_setting_that_is_the_default_is_the_same_work(stated: dict[str, str], kept: tuple[str, str]) -> None:
    config = EvaluateConfig.model_validate({"benchmark": "xnli", "seed": 1, **stated})
    assert (config.benchmark_setting, config.selection) == kept


def test_a_setting_or_preset_that_a_benchmark_lacks_is_refused_before_anything_runs() -> None:
    check_choices(FinetuningChoices(benchmark_setting="transfer"), ["sst2", "xnli"])
    with pytest.raises(BadConfig, match="tatoeba has no setting 'transfer': wanted frozen"):
        check_choices(FinetuningChoices(benchmark_setting="transfer"), ["sst2", "tatoeba"])
    with pytest.raises(BadConfig, match="XTREME has no numbers of fine-tuning for sst2"):
        check_choices(FinetuningChoices(finetuning="xtreme"), ["xnli", "sst2"])
