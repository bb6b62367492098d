"""Fine-tune on the source language, keep the best epoch by its dev set, score every language."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from evaluation.benchmark import BENCHMARKS, Benchmark
from evaluation.heads import IGNORED, Feature, Head, decode, features_of
from evaluation.readers import read_splits
from evaluation.records import DataError, Example
from evaluation.results import BenchmarkResult, score, write_results
from training.export import PIECES, load_encoder
from training.vocabulary import PAD, Vocabulary

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """One fine-tuning.  `paper` presets: XNLI from the authors (fairseq issue 1367), SQuAD from MLQA's, else RoBERTa's;
    the paper's own NER and MLQA settings are not published."""

    seed: int = 1
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-5
    warmup_fraction: float = 0.06
    weight_decay: float = 0.01
    max_tokens: int = 256
    threads: int = 1

    @classmethod
    def preset(cls, name: str, benchmark: str, seed: int = 1) -> FinetuneConfig:
        """`tiny` for the embedded run, `paper` for real sizes.  Raises ValueError."""
        if name == "tiny":
            return cls(seed=seed, epochs=6, batch=16, learning_rate=1e-3, max_tokens=128)
        if name != "paper":
            raise ValueError(f"preset {name!r}: wanted tiny or paper")
        paper = {
            "xnli": cls(epochs=30, batch=128, learning_rate=5e-6, warmup_fraction=0.0, weight_decay=0.0),
            "ner": cls(epochs=10, batch=32, learning_rate=2e-5),
            "mlqa": cls(epochs=3, batch=32, learning_rate=3e-5, max_tokens=384, weight_decay=0.005),
            "sst2": cls(epochs=10, batch=32, learning_rate=1e-5, weight_decay=0.1),
        }
        return replace(paper[benchmark], seed=seed)


def run(benchmark: str, model: Path, data: Path, output: Path, config: FinetuneConfig) -> list[BenchmarkResult]:
    """Fine-tune the exported model at `model`, write results.json and predictions, return the results.

    The same seed gives the same bytes on a CPU.  Raises DataError for a benchmark that is not there.
    """
    if benchmark not in BENCHMARKS:
        raise DataError(f"benchmark {benchmark!r}: wanted one of {', '.join(BENCHMARKS)}")
    chosen = BENCHMARKS[benchmark]
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    splits = read_splits(benchmark, data)
    vocabulary = Vocabulary.load(model / PIECES)
    encoder, encoder_config = load_encoder(model)
    config = replace(config, max_tokens=min(config.max_tokens, encoder_config.max_tokens))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    head = Head(encoder, chosen).to(device)
    tuned = _train(head, chosen, splits.train, splits.dev, vocabulary, config)
    results: list[BenchmarkResult] = []
    predictions: dict[str, Sequence[object]] = {}
    for language, examples in sorted(splits.test.items()):
        predictions[language] = _predict(tuned, chosen, examples, vocabulary, config)
        results += score(chosen, language, examples, predictions[language], config.seed)
    write_results(results, predictions, output)
    return results


def _train(
    head: Head,
    benchmark: Benchmark,
    train: Sequence[Example],
    dev: Sequence[Example],
    vocabulary: Vocabulary,
    config: FinetuneConfig,
) -> Head:
    """The head with the weights of its best epoch on the source language's dev set (strictly zero-shot)."""
    rows = features_of(train, benchmark, vocabulary, config.max_tokens)
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), eps=1e-6,
                                  weight_decay=config.weight_decay)  # fmt: skip
    updates = config.epochs * -(-len(rows) // config.batch)
    warmup = max(1, int(config.warmup_fraction * updates))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (updates - step) / max(1, updates - warmup))
    )
    best: tuple[float, dict[str, Tensor]] | None = None
    for epoch in range(config.epochs):
        head.train()
        for ids_BT, target in _batches(rows, config.batch, epoch, config.seed, head):
            optimizer.zero_grad(set_to_none=True)
            head.loss(ids_BT, target).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        found = _predict(head, benchmark, dev, vocabulary, config)
        value = score(benchmark, benchmark.source, dev, found, config.seed)[0].value
        log.info("%s epoch %d of %d: dev %s %.1f", benchmark.name, epoch + 1, config.epochs, benchmark.headline, value)
        if best is None or value > best[0]:
            best = (value, copy.deepcopy(head.state_dict()))
    assert best is not None
    head.load_state_dict(best[1])
    return head


@torch.no_grad()
def _predict(
    head: Head, benchmark: Benchmark, examples: Sequence[Example], vocabulary: Vocabulary, config: FinetuneConfig
) -> list[object]:
    head.eval()
    rows = features_of(examples, benchmark, vocabulary, config.max_tokens)
    logits: list[Tensor] = []
    for start in range(0, len(rows), config.batch):
        chunk = rows[start : start + config.batch]
        ids_BT, _ = _tensors(chunk, head)
        logits += list(head(ids_BT).float().cpu())
    return decode(benchmark, examples, rows, logits)


def _batches(rows: Sequence[Feature], batch: int, epoch: int, seed: int, head: Head) -> Iterator[tuple[Tensor, Tensor]]:
    shuffle = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(rows), generator=shuffle).tolist()
    for start in range(0, len(rows), batch):
        yield _tensors([rows[index] for index in order[start : start + batch]], head)


def _tensors(rows: Sequence[Feature], head: Head) -> tuple[Tensor, Tensor]:
    """ids padded to the longest row; targets padded with what the loss leaves out."""
    device = next(head.parameters()).device
    width = max(len(row.ids) for row in rows)
    target_width = max(len(row.target) for row in rows)
    ids = [[*row.ids, *[PAD] * (width - len(row.ids))] for row in rows]
    target = [[*row.target, *[IGNORED] * (target_width - len(row.target))] for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(target, device=device)
