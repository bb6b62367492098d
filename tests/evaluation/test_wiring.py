"""What a run can be asked for is what the library has."""

from __future__ import annotations

from typing import get_args

from evaluation.benchmarks import BENCHMARKS
from evaluation.settings import SELECTIONS, SETTINGS, Preset
from pipeline.stages.evaluate import KNOWN_BENCHMARKS, FinetuningChoices


def test_a_run_can_be_asked_for_every_benchmark_setting_and_selection() -> None:
    fields = FinetuningChoices.model_fields
    assert tuple(BENCHMARKS) == KNOWN_BENCHMARKS
    assert get_args(fields["benchmark_setting"].annotation) == ("default", *SETTINGS)
    assert get_args(fields["selection"].annotation) == ("default", *SELECTIONS)
    assert get_args(fields["finetuning"].annotation) == get_args(Preset)
