"""A GPU for each fine-tuning of a machine, by files as they lie there; the numbers of GPUs are made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evaluation.hardware import first_free, own_device, precision_of

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from evaluation.hardware import first_free
with first_free(["a", "b"], Path({folder!r})) as place:
    print(place, flush=True)
    sys.stdin.read()
"""


def test_units_side_by_side_have_a_gpu_each_and_the_next_waits_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with first_free(["a", "b"], tmp_path) as first, first_free(["b", "a"], tmp_path) as second:
        assert (first, second) == (0, 0)  # the second machine view has them in another order: they go by name

        def one_ends(seconds: float) -> None:
            raise InterruptedError

        monkeypatch.setattr("evaluation.hardware.time.sleep", one_ends)
        with pytest.raises(InterruptedError), first_free(["a", "b"], tmp_path):
            pass
    with first_free(["a", "b"], tmp_path) as place:
        assert place == 0


def test_a_killed_process_holds_no_gpu(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD.format(folder=str(tmp_path))], cwd=ROOT, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "0\n"
        with first_free(["a", "b"], tmp_path) as place:
            assert place == 1
        other.kill()
        other.wait()
    with first_free(["a", "b"], tmp_path) as place:
        assert place == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_without_a_gpu_the_processor_computes_in_float32() -> None:
    with own_device() as device:
        assert device == torch.device("cpu")
    assert [precision_of("auto"), precision_of("bfloat16")] == ["float32", "bfloat16"]
