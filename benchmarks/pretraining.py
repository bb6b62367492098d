"""Tokens per second of pretraining beside Hugging Face's XLMRobertaForMaskedLM, in one process, turn by turn.

    python -m benchmarks.pretraining --json FILE [--device cpu] [--rounds 7]
    python -m benchmarks.pretraining --json FILE --device cuda --model large

On a CPU: 4 layers, 256 wide, 32,002 ids, 8 x 128 tokens, one thread, in CPU time of the process, so that other load
disturbs little; each figure is the median over the rounds with its least and its most.  On a GPU (written, not run for
want of one): Base or Large with 250,002 ids at 512 tokens, bfloat16, both compiled, each with the largest batch that
fits.  Both sides take full steps: zeroing, forward, backward, fused AdamW; ours also the gradient's norm.  Each part of
our step stands beside its floor, the time of its products at the rate that a large product reaches on the machine; a
part that takes more than twice its floor is named.

With --text FILE (UTF-8) encoding is measured too: MB of text a second of one core, from text to blocks on disk, with a
vocabulary of 8,000 pieces trained on the first two million characters of that text.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training.batches import Batch, Batches
from training.blocks import write_blocks
from training.distributed import Processes
from training.flops import training_flops_per_token
from training.head_loss import linear_cross_entropy
from training.learner import Learner
from training.masking import FRACTION, IGNORED
from training.metrics import memory_gb, peak_flops
from training.model import MaskedLanguageModel
from training.settings import PretrainSettings
from training.sizes import EncoderConfig, xlmr_base, xlmr_large
from training.vocabulary import Vocabulary, sample_lines, train_on_samples

SMALL = EncoderConfig(32_002, hidden=256, layers=4, heads=4, feed_forward=1024, max_tokens=128)
CPU_BLOCKS = 8
ENCODING_CHARACTERS, ENCODING_PIECES = 2_000_000, 8_000
LANGUAGES = ("en", "sw")
MAX_TIMES_FLOOR = 2.0  # ours: a part beyond it is at fault
MAX_DATA_SHARE = 0.01
Step = Callable[[], object]


class Sides:
    """Our step and theirs on the same batches, with weights that begin alike."""

    def __init__(self, config: EncoderConfig, device: torch.device, folder: Path) -> None:
        self.config, self.device = config, device
        self.gpu = device.type == "cuda"
        settings = PretrainSettings(folder / "v", {"en": (folder / "b",)}, folder, block_tokens=config.max_tokens,
                                    warmup_steps=0)  # fmt: skip
        torch.manual_seed(1)
        self.learner = Learner(settings, Processes(0, 1, 0, device), MaskedLanguageModel(config), len(LANGUAGES))
        self.learner.start()
        self.batches = Batches(_write_blocks(config, folder), config.max_tokens, 0.3, 1, 64, config.vocabulary_size)
        self.next = 0

    def take(self, blocks: int) -> Batch:
        self.next += 1
        return self.batches.take(self.next * blocks, blocks)

    def ours(self, batch: Batch) -> None:
        targets = float((batch.targets_BS != IGNORED).sum())
        outcome = self.learner.compute(self.next, [batch.to(self.device)], targets)
        self.learner.take_step(self.next, outcome.gradient_norm)

    def start_theirs(self) -> None:
        from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

        from training.hugging_face import to_hugging_face, to_their_config

        model: Any = XLMRobertaForMaskedLM(XLMRobertaConfig(**to_their_config(self.config)))
        model.load_state_dict(to_hugging_face(self.learner.model.state_dict()), strict=False)
        model = model.to(self.device).train()
        self.their_optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.98), fused=True)
        self.their_model = torch.compile(model) if self.gpu else model

    def theirs(self, batch: Batch) -> None:
        """As transformers' Trainer steps: labels over all places, ignored where nothing is to be predicted."""
        moved = batch.to(self.device)
        labels_BT = torch.full_like(moved.ids_BT, IGNORED)
        used_BS = moved.targets_BS != IGNORED
        labels_BT.view(-1)[moved.positions_BS[used_BS]] = moved.targets_BS[used_BS]
        self.their_optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.gpu):
            loss = self.their_model(input_ids=moved.ids_BT, labels=labels_BT).loss
        loss.backward()
        self.their_optimizer.step()


def _write_blocks(config: EncoderConfig, folder: Path) -> dict[str, list[Path]]:
    """Random ids: what they are changes no speed."""
    chance = np.random.Generator(np.random.PCG64(1))
    paths = {language: [folder / f"{language}.npy"] for language in LANGUAGES}
    for path, *_ in paths.values():
        shape = (4096, config.max_tokens - 2)
        np.save(path, chance.integers(4, config.vocabulary_size - 1, shape).astype("<u4"))
    return paths


def clock(device: torch.device) -> float:
    """Seconds of this process's work: CPU time on a CPU, wall-clock time once a GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def seconds(step: Step, device: torch.device) -> float:
    began = clock(device)
    step()
    return clock(device) - began


def spread(values: Sequence[float]) -> dict[str, float]:
    rounded = [float(f"{value:.5g}") for value in (min(values), statistics.median(values), max(values))]
    return dict(zip(("least", "median", "most"), rounded, strict=True))


def parts_of(sides: Sides, blocks: int, rounds: int, rate: float) -> dict[str, dict[str, float]]:
    """Each part's seconds in our step beside its floor; `other` is what is left of the whole."""
    config, model, device = sides.config, sides.learner.model, sides.device
    batch = sides.take(blocks).to(device)
    layers = [layer.eval() for layer in model.encoder.layers]
    hidden_BTD = torch.randn(blocks, config.max_tokens, config.hidden, device=device, requires_grad=True)
    hidden_MD = torch.randn(batch.positions_BS.numel(), config.hidden, device=device, requires_grad=True)
    size = (blocks, config.heads, config.max_tokens, config.hidden // config.heads)
    looking = [torch.randn(size, device=device, requires_grad=True) for _ in range(3)]

    def autocast() -> Any:
        return torch.autocast(device.type, torch.bfloat16, enabled=sides.gpu)

    def attention() -> None:
        for _ in range(config.layers):
            functional.scaled_dot_product_attention(*looking).sum().backward()

    def body() -> None:
        with autocast():
            x_BTD = hidden_BTD
            for index, layer in enumerate(layers):
                x_BTD = layer(x_BTD, None, batch.positions_BS if index == len(layers) - 1 else None)
        x_BTD.sum().backward()

    def head() -> None:
        with autocast():
            x_MD, matrix_VD = model.transform(hidden_MD), model.encoder.words.weight
            loss_M = linear_cross_entropy(x_MD, matrix_VD, model.bias, batch.targets_BS.flatten())
        loss_M.sum().backward()

    flops = _flops(config, blocks * config.max_tokens)
    steps: dict[str, Step] = {
        "data": lambda: sides.take(blocks), "body": body, "attention": attention, "head": head,
        "optimizer": sides.learner.optimizer.step,
    }  # fmt: skip
    measured = {name: statistics.median(seconds(step, device) for _ in range(rounds)) for name, step in steps.items()}
    measured["matrices"] = measured.pop("body") - measured["attention"]
    floors = {name: flops[name] / rate for name in ("matrices", "attention", "head")}
    return {name: {"seconds": float(f"{taken:.4g}"), "floor_s": float(f"{floors.get(name, 0.0):.4g}")}
            for name, taken in measured.items()}  # fmt: skip


def _flops(config: EncoderConfig, tokens: int) -> dict[str, float]:
    """Of forward and backward; the last layer's queries and all after them are at masked places only."""
    hidden, wide, layers = config.hidden, config.feed_forward, config.layers
    after = 2 * (2 * hidden**2 + 2 * hidden * wide)  # query, output, feed-forward
    return {
        "matrices": 3.0 * tokens * ((layers - 1 + FRACTION) * after + layers * 2 * 2 * hidden**2),
        "attention": 3.0 * tokens * (layers - 1 + FRACTION) * 4 * config.max_tokens * hidden,
        "head": 3.0 * tokens * FRACTION * 2 * (hidden**2 + hidden * config.vocabulary_size),
    }


def reached_flops(device: torch.device) -> float:
    """Operations per second of one large product, in what the step computes in."""
    size = 8192 if device.type == "cuda" else 1024
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2.0 * size**3 / min(seconds(lambda: left @ right, device) for _ in range(10))


def largest(step: Callable[[int], object], device: torch.device, asked: int) -> int:
    """The most blocks, doubling from 16, that a step has memory for; on a CPU, or where asked for, that number."""
    if asked or device.type == "cpu":
        return asked or CPU_BLOCKS
    blocks = 16
    while True:
        try:
            step(blocks * 2)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return blocks
        blocks *= 2


def compare(config: EncoderConfig, device: torch.device, rounds: int, asked: int = 0) -> dict[str, Any]:
    """Both sides' steps in turn, after two of each that are not counted."""
    with tempfile.TemporaryDirectory() as name:
        sides = Sides(config, device, Path(name))
        own = largest(lambda blocks: sides.ours(sides.take(blocks)), device, asked)
        for _ in range(2):
            sides.ours(sides.take(own))
        memory = memory_gb(device)
        sides.start_theirs()
        other = largest(lambda blocks: sides.theirs(sides.take(blocks)), device, asked)
        for _ in range(2):
            sides.theirs(sides.take(other))
        ours, theirs = [], []  # seconds for each token
        for _ in range(rounds):
            batch = sides.take(other)
            ours.append(seconds(lambda: sides.ours(sides.take(own)), device) / (own * config.max_tokens))
            theirs.append(seconds(partial(sides.theirs, batch), device) / (other * config.max_tokens))
        rate = reached_flops(device)
        parts = parts_of(sides, own, rounds, rate)
    blocks = {"blocks": own, "huggingface_blocks": other}
    return _report(config, blocks, device, ours, theirs, memory, rate, parts)


def encoding_speed(text: Path, rounds: int) -> dict[str, float]:
    """Of CPU time; the fastest round, since other load can only slow it down."""
    document = text.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample_lines([document[:ENCODING_CHARACTERS]], 1.0, "", folder / "lines.txt")
        train_on_samples([folder / "lines.txt"], folder / "model", size=ENCODING_PIECES)
        vocabulary, size_mb = Vocabulary.load(folder / "model"), len(document.encode()) / 1e6

        def encode() -> None:
            write_blocks([document], vocabulary, folder / "blocks.npy", block_tokens=512)

        fastest = min(seconds(encode, torch.device("cpu")) for _ in range(rounds))
        tokens = len(vocabulary.encode(document))
    return {"mb_per_s": round(size_mb / fastest, 2), "tokens_per_s": round(tokens / fastest), "mb": round(size_mb, 2),
            "pieces": len(vocabulary) - 2}  # fmt: skip


def _report(
    config: EncoderConfig, blocks: dict[str, int], device: torch.device, ours: list[float], theirs: list[float],
    memory: float, rate: float, parts: dict[str, dict[str, float]],
) -> dict[str, Any]:  # fmt: skip
    taken = statistics.median(ours)
    known = peak_flops(device)
    ratios = [their / own for own, their in zip(ours, theirs, strict=True)]
    for part in parts.values():
        part["share"] = round(part["seconds"] / (taken * blocks["blocks"] * config.max_tokens), 4)
    at_fault = [name for name, part in parts.items()
                if part["floor_s"] and part["seconds"] > MAX_TIMES_FLOOR * part["floor_s"]]  # fmt: skip
    if parts["data"]["share"] > MAX_DATA_SHARE:
        at_fault.append("data")
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu, one thread",
        "sizes": {"layers": config.layers, "hidden": config.hidden, "ids": config.vocabulary_size,
                  "tokens": config.max_tokens, **blocks},
        "rounds": len(ours),
        "tokens_per_s": round(1 / taken, 1),
        "mfu": round(training_flops_per_token(config, config.max_tokens) / taken / (known or rate), 4),
        "peak_flops": known or float(f"{rate:.4g}"),
        "peak_flops_from": "data sheet" if known else "the largest product measured here",
        "peak_memory_gb": memory,
        "huggingface_tokens_per_s": round(1 / statistics.median(theirs), 1),
        "ratio_huggingface": round(statistics.median(ratios), 3),
        "spread": {"tokens_per_s": spread([1 / one for one in ours]),
                   "huggingface_tokens_per_s": spread([1 / one for one in theirs]), "ratio": spread(ratios)},
        "parts": parts,
        "parts_at_fault": at_fault,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="file to write the figures to")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=7, help="steps of each side")
    parser.add_argument("--model", choices=("base", "large"), default="base", help="on a GPU")
    parser.add_argument("--blocks", type=int, default=0, help="of a step; 0: 8 on a CPU, on a GPU as many as fit")
    parser.add_argument("--text", type=Path, help="file of text to measure encoding on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("benchmarks.pretraining: no GPU here: pass --device cpu", file=sys.stderr)
        return 2
    config = SMALL
    if device.type == "cuda":
        config = xlmr_base() if arguments.model == "base" else xlmr_large()
    load = os.getloadavg()[0]
    found = compare(config, device, arguments.rounds, arguments.blocks)
    found["encoding"] = encoding_speed(arguments.text, 3) if arguments.text else None
    found |= {"torch": torch.__version__, "cores": os.cpu_count()}
    found["load_average"] = {"before": round(load, 1), "after": round(os.getloadavg()[0], 1)}
    arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
