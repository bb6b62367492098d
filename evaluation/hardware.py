"""What a fine-tuning computes on: a GPU of its own, in which precision, and in words for a result's row."""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
LOCKS = Path(tempfile.gettempdir()) / f"xlmr-gpus-{os.getuid()}"


def hardware() -> str:
    """The GPU's name, else the processor's, with the number of those that one fine-tuning may use."""
    if torch.cuda.is_available():
        return f"1 x {torch.cuda.get_device_name()}"
    return f"{len(os.sched_getaffinity(0))} cores of {_processor()}"


def precision_of(asked: Literal["auto", "float32", "bfloat16"]) -> Literal["float32", "bfloat16"]:
    """auto: bfloat16 products of float32 weights on a GPU that has them."""
    if asked != "auto":
        return asked
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


@contextmanager
def own_device() -> Iterator[torch.device]:
    """A GPU that no other fine-tuning on this machine has, the processor where there is none.

    So benchmarks and seeds that run side by side on a machine of several GPUs have one each.
    """
    if not torch.cuda.is_available():
        yield torch.device("cpu")
        return
    names = [str(torch.cuda.get_device_properties(place).uuid) for place in range(torch.cuda.device_count())]
    with first_free(names) as place:
        torch.cuda.set_device(place)
        yield torch.device("cuda", place)


@contextmanager
def first_free(names: Sequence[str], folder: Path = LOCKS) -> Iterator[int]:
    """The place of a name that no other process holds; waits for one.  It is free again when this process ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = False
    while True:
        for place, name in enumerate(names):
            with (folder / f"{name}.lock").open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield place
                return
        if not told:
            log.info("all %d GPUs of this machine have a fine-tuning: waiting for one", len(names))
            told = True
        time.sleep(LOOK_EVERY_S)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    for line in information.read_text().splitlines() if information.exists() else ():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()
