"""Evaluate a model on one benchmark with one seed: read, check, fine-tune, predict, score, keep."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import benchmark_named, read_splits
from evaluation.encoders import LoadedEncoder, load
from evaluation.heads import Head
from evaluation.plan import Training, plan
from evaluation.readers.folders import digest
from evaluation.records import Example, Splits
from evaluation.results import ResultRow, Scored, code_digest, never_predicted, write_results
from evaluation.retrieval import layer_of, retrieve
from evaluation.scoring import baseline_predictions, chance_of, score_examples
from evaluation.settings import FinetuneConfig
from evaluation.state import Progress, TuningState
from evaluation.tuning import JOINT, DivergedError, Tuner

__all__ = ["FinetuneConfig", "run"]
log = logging.getLogger(__name__)
SHOWN_LABELS = 10
NEAR_CHANCE = 2.0  # points: a collapsed seed (XLM issue 199)


def run(
    benchmark: str,
    model: Path,
    data: Path,
    output: Path,
    config: FinetuneConfig,
    state: Path | None = None,
    on_saved: Callable[[], None] = lambda: None,
) -> list[ResultRow]:
    """Evaluate the encoder folder at `model`; write results.json, contributions.npz and predictions; return the rows.

    The same seed and data give the same bytes on a CPU.  With a `state` folder that outlives this process, a killed
    run goes on after its last whole epoch, with the same result; `on_saved` is called after each.  Raises DataError
    before any training for data that cannot be used, DivergedError where the model's loss or logits are no numbers.
    """
    chosen = benchmark_named(benchmark)
    torch.set_num_threads(config.threads)
    splits = read_splits(benchmark, data)
    scored: list[Scored] = []
    predictions: dict[str, Sequence[object]] = {}
    if chosen.task == "retrieval":
        _retrieve(_Run(chosen, splits, config, load(model)), scored, predictions)
    else:
        trainings = plan(chosen, splits, config)
        with tempfile.TemporaryDirectory() as aside:
            for training in trainings:
                one = _Run(chosen, splits, config, load(model), on_saved)
                _finetune(one, training, state or Path(aside), scored, predictions)
    write_results(scored, predictions, output)
    return [each.row for each in scored]


class _Run:
    """What all rows of one evaluation share."""

    def __init__(
        self,
        benchmark: Benchmark,
        splits: Splits,
        config: FinetuneConfig,
        encoder: LoadedEncoder,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_saved = on_saved
        self.benchmark = benchmark
        self.splits = splits
        self.config = config
        self.encoder = encoder
        self.max_tokens = min(config.max_tokens, encoder.max_tokens)
        self.data = digest(splits.files)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        encoder.model.to(device)
        self.device = device

    def identity(self, training: Training) -> str:
        """Tells this fine-tuning from any other."""
        named = (self.benchmark.name, training.name, self.config.digest(), self.data, self.encoder.digest)
        numbered = (self.benchmark.version, self.config.seed, self.max_tokens, code_digest())
        parts = map(str, (*named, *numbered))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def rows(
        self,
        name: str,
        gold: Sequence[Example],
        predicted: Sequence[object],
        training: Training | None,
        epoch: int,
        flags: tuple[str, ...] = (),
        learning_rate: float = 0.0,
    ) -> list[Scored]:
        known, config = self.benchmark, self.config
        train = training.train if training else ()
        baseline_is, answers = baseline_predictions(known, train, gold)
        baselines = (
            {metric: value for metric, value, _ in score_examples(known, name, gold, answers)} if answers else {}
        )
        paper = known.paper_scores(config.setting)
        found = []
        for metric, value, contributions in score_examples(known, name, gold, predicted):
            headline, chance = metric == known.headline, chance_of(known, metric, len(gold))
            row = ResultRow(
                benchmark=known.name,
                benchmark_version=known.version,
                language=name,
                metric=metric,
                value=round(value, 4),
                examples=len(gold),
                seed=config.seed,
                headline=headline,
                setting=config.setting,
                selection=config.selection if training else "none",
                dev=self.splits.dev_is if training else "none",
                scored=self.splits.scored,
                trained_on=training.name if training else "nothing",
                train_examples=len(train),
                epoch=epoch,
                max_tokens=self.max_tokens,
                chance=chance,
                baseline=round(baselines[metric], 4) if baselines else None,
                baseline_is=baseline_is,
                paper=paper.get(name) if headline else None,
                data=self.data,
                checkpoint=self.encoder.digest,
                config=config.digest(),
                code=code_digest(),
                learning_rate=learning_rate,
                learning_rates=config.learning_rates if training else (),
                flags=(*flags, *self._flags(predicted, value, chance if headline else None)),
            )
            found.append(Scored(row, contributions))
        return found

    def _flags(self, predicted: Sequence[object], value: float, chance: float | None) -> tuple[str, ...]:
        """What a reader of the score must know."""
        flags = [f"trained on {self.splits.stand_in}"] if self.splits.stand_in else []
        flags += [f"left out of the data: {n} ({reason})" for reason, n in sorted(self.splits.left_out.items())]
        if self.encoder.max_tokens < self.config.max_tokens:
            flags.append(f"rows cut at {self.encoder.max_tokens} tokens, the longest that the model states")
        if 0 < len(self.benchmark.labels) <= SHOWN_LABELS and self.benchmark.task == "classification":
            flags += never_predicted(self.benchmark.labels, predicted)
        if chance and abs(value - chance) < NEAR_CHANCE:
            flags.append("near chance")
        if self.benchmark.task == "regression" and len(set(predicted)) == 1:
            flags.append("one number for all: no correlation, shown as 0")
        return tuple(flags)


def _finetune(
    run: _Run, training: Training, state: Path, scored: list[Scored], predictions: dict[str, Sequence[object]]
) -> None:
    config = replace(run.config, max_tokens=run.max_tokens)
    weights = {name: tensor.clone() for name, tensor in run.encoder.model.state_dict().items()}
    tried: dict[float, tuple[float, Tuner, TuningState, Progress]] = {}
    for rate in config.learning_rates or (config.learning_rate,):
        run.encoder.model.load_state_dict(weights)
        torch.manual_seed(config.seed)
        head = Head(run.encoder, run.benchmark).to(run.device)
        tuner = Tuner(head, run.encoder.tokenizer, run.benchmark, replace(config, learning_rate=rate), run.max_tokens)
        searched = f"-{rate:g}" if config.learning_rates else ""
        folder = state / f"{run.benchmark.name}-{training.name}-{config.seed}{searched}"
        kept = TuningState(folder, run.identity(training) + searched, run.on_saved)
        try:
            progress = tuner.tune(training.train, training.dev, kept)
        except DivergedError as error:
            if len(config.learning_rates) < 2:
                raise
            log.warning("%s: the rate %g is left out", error, rate)
            continue
        tried[rate] = fmean(value for value, _ in progress.best.values()), tuner, kept, progress
    if not tried:
        raise DivergedError(f"{run.benchmark.name} seed {config.seed}: the loss is not finite with any learning rate "
                            f"({', '.join(map(str, config.learning_rates))}): this run has no score")  # fmt: skip
    rate = max(tried, key=lambda each: tried[each][0])
    _, tuner, kept, progress = tried[rate]
    head = tuner.head
    epochs = _epochs(training, progress, config)
    for epoch in sorted(set(epochs.values())):
        kept.load_epoch(head, epoch)
        own = {name: tuner.prepare(training.test[name]) for name in sorted(training.test) if epochs[name] == epoch}
        for name, found in tuner.predict(own).items():
            predictions[name] = found
            scored += run.rows(name, training.test[name], found, training, epoch, learning_rate=rate)


def _epochs(training: Training, progress: Progress, config: FinetuneConfig) -> Mapping[str, int]:
    """The epoch that the selection chose for each test set."""
    if config.selection == "per-language" and len(progress.best) > 1:
        return {name: progress.best[name][1] for name in training.test}
    key = JOINT if JOINT in progress.best else next(iter(progress.best))
    return dict.fromkeys(training.test, progress.best[key][1])


def _retrieve(run: _Run, scored: list[Scored], predictions: dict[str, Sequence[object]]) -> None:
    layer, depth = layer_of(run.encoder, run.config.layer_share)
    said = f"layer {layer} of {depth}, mean over tokens, cosine"
    for name, found in retrieve(run.encoder, run.splits.test, run.config, run.max_tokens).items():
        predictions[name] = found
        scored += run.rows(name, run.splits.test[name], found, None, 0, (said,))
