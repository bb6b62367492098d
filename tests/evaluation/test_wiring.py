"""What a run can be asked for is what the library has."""

from __future__ import annotations

from typing import get_args

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.settings import SELECTIONS, SETTINGS, Preset
from pipeline.errors import BadConfig
from pipeline.stages.evaluate import KNOWN_BENCHMARKS, FinetuningChoices, check_choices


def test_a_run_can_be_asked_for_every_benchmark_setting_and_selection() -> None:
    fields = FinetuningChoices.model_fields
    assert tuple(BENCHMARKS) == KNOWN_BENCHMARKS
    assert get_args(fields["benchmark_setting"].annotation) == ("default", *SETTINGS)
    assert get_args(fields["selection"].annotation) == ("default", *SELECTIONS)
    assert get_args(fields["finetuning"].annotation) == get_args(Preset)


def test_a_setting_or_preset_that_a_benchmark_lacks_is_refused_before_anything_runs() -> None:
    check_choices(FinetuningChoices(benchmark_setting="transfer"), ["sst2", "xnli"])
    with pytest.raises(BadConfig, match="tatoeba has no setting 'transfer': wanted frozen"):
        check_choices(FinetuningChoices(benchmark_setting="transfer"), ["sst2", "tatoeba"])
    with pytest.raises(BadConfig, match="XTREME has no numbers of fine-tuning for sst2"):
        check_choices(FinetuningChoices(finetuning="xtreme"), ["xnli", "sst2"])
