"""Runs of `python -m training pretrain` as its users start them, and inside the test's own process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from training.distributed import Processes
from training.loop import Pretraining
from training.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TEXTS = {
    "en": [f"The {a} {b} in the {c}.\nIt was {a} again." for a in ("old", "red", "small", "quiet", "long", "warm")
           for b in ("house", "bird", "river", "song", "train") for c in ("garden", "village", "morning", "winter")],
    "sw": [f"{a} {b} {c}." for a in ("Mwalimu", "Daktari", "Mkulima", "Mpishi")
           for b in ("anasoma", "anaimba", "anapika") for c in ("sokoni", "jikoni", "kijijini", "shuleni")],
}  # fmt: skip


def write_config(settings: dict[str, object], output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    config = output / "config.json"
    config.write_text(json.dumps(settings | {"output": str(output)}))
    return config


def command(settings: dict[str, object], output: Path, processes: int) -> list[str]:
    config = write_config(settings, output)
    start = [sys.executable, "-m", "training.launch", "--standalone", "--nproc-per-node", str(processes)]
    return [*(start if processes > 1 else [sys.executable]), "-m", "training", "pretrain", "--config", str(config)]


def train(settings: dict[str, object], output: Path, processes: int = 1) -> Path:
    said = subprocess.run(
        command(settings, output, processes), cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert said.returncode == 0, said.stderr.decode()[-2000:]
    return output


def train_here(settings: dict[str, object], output: Path) -> Path:
    """One process, without starting another Python; needs the fixture `signals`."""
    run = Pretraining(read_settings(write_config(settings, output)), Processes(0, 1, 0, torch.device("cpu")))
    run.run()
    return output


def start_hosts(settings: list[dict[str, object]], outputs: list[Path]) -> list[subprocess.Popen[str]]:
    """One process for each output folder, as if each were a host with a disk of its own, joined on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    jobs = []
    for rank, (own, output) in enumerate(zip(settings, outputs, strict=True)):
        environment = ENVIRONMENT | {"RANK": str(rank), "WORLD_SIZE": str(len(outputs)), "LOCAL_RANK": "0",
                                     "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
        call = [sys.executable, "-m", "training", "pretrain", "--config", str(write_config(own, output))]
        jobs.append(subprocess.Popen(call, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE))
    return jobs


def ends(jobs: list[subprocess.Popen[str]], timeout_s: float) -> list[tuple[int, str]]:
    """(exit status, what it said) of each.  Raises TimeoutExpired; none is left running."""
    try:
        return [(job.wait(timeout_s), job.stderr.read() if job.stderr else "") for job in jobs]
    finally:
        for job in jobs:
            job.kill()
            job.wait()


def rows(output: Path, name: str = "metrics.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in (output / name).read_text().splitlines()]


def losses(output: Path) -> list[float]:
    return [float(str(row["loss_nats"])) for row in rows(output)]


def weights(output: Path) -> bytes:
    return (output / "final" / "model.safetensors").read_bytes()
