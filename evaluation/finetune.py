"""Evaluate a model on one benchmark with one seed: read, check, fine-tune, predict, score, keep."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import benchmark_named, read_splits
from evaluation.bootstrap import drawn_counts, drawn_splits
from evaluation.code_digest import code_digest
from evaluation.encoders import LoadedEncoder, load
from evaluation.hardware import own_device
from evaluation.heads import Head
from evaluation.metrics.metric import Numbers
from evaluation.plan import Training, plan
from evaluation.readers.folders import digest
from evaluation.records import Example, Splits
from evaluation.results import (
    NEAR_CHANCE,
    ONE_LABEL,
    ONE_NUMBER,
    FailedSeed,
    ResultRow,
    Scored,
    never_predicted,
    write_failed,
    write_results,
)
from evaluation.retrieval import layer_of, retrieve
from evaluation.scoring import baseline_predictions, chance_of, score_examples
from evaluation.settings import FinetuneConfig
from evaluation.state import Progress, TuningState
from evaluation.tuning import JOINT, DivergedError, Tuner

__all__ = ["FinetuneConfig", "run"]
log = logging.getLogger(__name__)
SHOWN_LABELS = 10
NEAR_CHANCE_POINTS = 2.0


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
    before any training for data that cannot be used, DivergedError where the model's loss or logits are no numbers;
    failed.json says then which seed failed and why.
    """
    chosen = benchmark_named(benchmark)
    torch.set_num_threads(config.threads)
    splits = read_splits(benchmark, data)
    splits = drawn_splits(splits, config.seed) if config.bootstrap else splits
    scored: list[Scored] = []
    predictions: dict[str, Sequence[object]] = {}
    trainings: Sequence[Training | None] = [None] if chosen.task == "retrieval" else plan(chosen, splits, config)
    with tempfile.TemporaryDirectory() as aside, own_device() as device:
        for training in trainings:
            one = _Run(chosen, splits, config, load(model), device, on_saved)
            try:
                if training is None:
                    _retrieve(one, scored, predictions)
                else:
                    _finetune(one, training, state or Path(aside), scored, predictions)
            except DivergedError as error:
                write_failed(one.failed(training, str(error)), output)
                raise
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
        device: torch.device,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_saved = on_saved
        self.benchmark = benchmark
        self.splits = splits
        self.config = config
        self.encoder = encoder
        self.max_tokens = min(config.max_tokens, encoder.max_tokens)
        self.data = digest(splits.files)
        encoder.model.to(device)
        self.device = device

    def identity(self, training: Training) -> str:
        """Tells this fine-tuning from any other."""
        named = (self.benchmark.name, training.name, self.config.digest(), self.data, self.encoder.digest)
        numbered = (self.benchmark.version, self.config.seed, self.max_tokens, code_digest(self.benchmark.name))
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
        baselines = {metric: value for metric, value, _ in self._scores(name, gold, answers)} if answers else {}
        paper = known.paper_scores(config.setting)
        found = []
        for metric, value, contributions in self._scores(name, gold, predicted):
            headline, chance = metric == known.headline, chance_of(known, metric, len(gold))
            row = ResultRow(
                benchmark=known.name,
                benchmark_version=known.version,
                language=name,
                metric=metric,
                value=value,
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
                baseline=baselines.get(metric),
                baseline_is=baseline_is,
                paper=paper.get(name) if headline else None,
                data=self.data,
                checkpoint=self.encoder.digest,
                config=config.digest(),
                code=code_digest(known.name),
                learning_rate=learning_rate,
                learning_rates=config.learning_rates if training else (),
                bootstrap=config.bootstrap,
                flags=(
                    *flags,
                    *_untrained(training),
                    *self._flags(predicted, value, chance if headline else None),
                    *self._other_size(name, len(gold)),
                ),
            )
            found.append(Scored(row, contributions))
        return found

    def _scores(
        self, name: str, gold: Sequence[Example], predicted: Sequence[object]
    ) -> list[tuple[str, float, Numbers]]:
        found = score_examples(self.benchmark, name, gold, predicted)
        if not self.config.bootstrap:
            return found
        counts_N1 = drawn_counts(len(gold), self.config.seed)[:, None]
        counted = [(metric, counts_N1 * numbers) for metric, (*_, numbers) in
                   zip(self.benchmark.metrics, found, strict=True)]  # fmt: skip
        return [(metric.name, float(metric.value(numbers.sum(axis=0))), numbers) for metric, numbers in counted]

    def _flags(self, predicted: Sequence[object], value: float, chance: float | None) -> tuple[str, ...]:
        """What a reader of the score must know."""
        flags = [f"trained on {self.splits.stand_in}"] if self.splits.stand_in else []
        flags += [f"left out of the data: {n} ({reason})" for reason, n in sorted(self.splits.left_out.items())]
        if self.encoder.max_tokens < self.config.max_tokens:
            flags.append(f"rows cut at {self.encoder.max_tokens} tokens, the longest that the model states")
        if 0 < len(self.benchmark.labels) <= SHOWN_LABELS and self.benchmark.task == "classification":
            flags += never_predicted(self.benchmark.labels, predicted)
        if chance and abs(value - chance) < min(NEAR_CHANCE_POINTS, chance):  # retrieval: chance is 0.1 or less
            flags.append(NEAR_CHANCE)
        if self.benchmark.task == "regression" and len(set(predicted)) == 1:
            flags.append(ONE_NUMBER)
        if self.benchmark.task in ("classification", "choice", "tagging") and value < 100 and _is_one(predicted):
            flags.append(ONE_LABEL)
        return tuple(flags)

    def _other_size(self, test_set: str, examples: int) -> Iterator[str]:
        part = self.splits.scored
        published = self.benchmark.published_size(part, test_set)
        if published and published != examples:
            yield f"{examples:,} examples, the published {part} set has {published:,}"

    def failed(self, training: Training | None, reason: str) -> FailedSeed:
        return FailedSeed(
            benchmark=self.benchmark.name,
            benchmark_version=self.benchmark.version,
            setting=self.config.setting,
            selection=self.config.selection if training else "none",
            seed=self.config.seed,
            trained_on=training.name if training else "nothing",
            max_tokens=self.max_tokens,
            data=self.data,
            checkpoint=self.encoder.digest,
            config=self.config.digest(),
            code=code_digest(self.benchmark.name),
            reason=reason.removeprefix(f"{self.benchmark.name} seed {self.config.seed}: "),
            learning_rates=self.config.learning_rates if training else (),
        )


def _untrained(training: Training | None) -> Iterator[str]:
    if training and training.untrained:
        model = "no model of" if training.name != "all" else "trained without"
        yield f"{model} {', '.join(training.untrained)}: no training set"


def _is_one(predicted: Sequence[object]) -> bool:
    """Whether all examples, or all words of all sentences, were given the same label."""
    return len({label for each in predicted for label in (each if isinstance(each, tuple) else (each,))}) == 1


def _finetune(
    run: _Run, training: Training, state: Path, scored: list[Scored], predictions: dict[str, Sequence[object]]
) -> None:
    config = replace(run.config, max_tokens=run.max_tokens)
    if config.compile:
        for network in run.encoder.model.children():
            network.compile(dynamic=True)  # rows are as long as the longest of their batch
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
