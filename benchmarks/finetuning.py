"""Fine-tuning and inference beside Hugging Face's Trainer: the same weights, texts, length and batch in one run.

    python -m benchmarks.finetuning --json benchmarks/results/finetuning.json
    python -m benchmarks.finetuning --model exported-folder --xnli folder-with-multinli.train.en.tsv

Without --model and --xnli: a model of random weights (4 layers of 256) and pairs of our own sentences whose lengths
are spread as those of MultiNLI's English training pairs.  Both sides take turns (`--rounds`): a rate is the median of
its rounds, a ratio that of the ratios of each round.  On a CPU one thread works and its processor time is counted, on
a GPU the clock's.  Hugging Face is measured twice: rows padded to the longest of the batch (DataCollatorWithPadding),
which is what ratio_huggingface is against, and rows padded to the length (pad_to_max_length, the default of its
example scripts run_glue.py and run_xnli.py), as ..._padded.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers

from benchmarks.machine import measured
from benchmarks.pretraining import spread
from embedded.written import reference_sentences
from evaluation.benchmarks import BENCHMARKS
from evaluation.benchmarks.xnli import LABELS, find_train, read_train
from evaluation.encoders import load
from evaluation.heads import Head
from evaluation.records import Classified
from evaluation.settings import FinetuneConfig
from evaluation.tuning import Prepared, Tuner
from training.export import export_hugging_face, save_final
from training.model import EncoderConfig, MaskedLanguageModel
from training.vocabulary import Vocabulary, train_vocabulary

PIECES = 2000
# MultiNLI's English pairs have 31 words in both texts together (median) with a log-normal spread of 0.51 (measured on
# 6,000).  Our small vocabulary needs about twice XLM-R's tokens for a word, so half the words give as long rows.
MEDIAN_WORDS, SPREAD = 16.0, 0.51
WARM_UPDATES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the result there")
    parser.add_argument("--model", type=Path, help="exported folder (default: random weights)")
    parser.add_argument("--xnli", type=Path, help="folder with multinli.train.en.tsv (default: our own sentences)")
    parser.add_argument("--examples", type=int, default=384, help="pairs a round (default 384)")
    parser.add_argument("--batch", type=int, default=16, help="(default 16)")
    parser.add_argument("--length", type=int, default=128, help="longest row (default 128)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as workspace:
        model = arguments.model or make_model(Path(workspace))
        pairs = read_pairs(arguments.xnli, arguments.examples) if arguments.xnli else make_pairs(arguments.examples)
        result = measure(model, pairs, arguments, Path(workspace))
    text = json.dumps(result, indent=1)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(text + "\n")
    print(text)


def make_model(workspace: Path) -> Path:
    """An exported folder with random weights."""
    texts = reference_sentences()
    characters = {language: sum(map(len, lines)) for language, lines in texts.items()}
    made: Any = {language: (lambda lines=lines: lines) for language, lines in texts.items()}
    train_vocabulary(made, characters, workspace / "pieces.model", size=PIECES)
    torch.manual_seed(1)
    config = EncoderConfig(len(Vocabulary.load(workspace / "pieces.model")), hidden=256, layers=4, heads=4,
                           feed_forward=1024)  # fmt: skip
    save_final(MaskedLanguageModel(config), config, workspace / "final")
    export_hugging_face(workspace / "final", workspace / "pieces.model", workspace / "model")
    return workspace / "model"


def make_pairs(count: int) -> list[Classified]:
    """Pairs of our own sentences; two thirds of the words are the premise's."""
    chance = random.Random(1)
    words = [word for line in reference_sentences()["en"] for word in line.split()]
    pairs = []
    for number in range(count):
        total = max(6, round(chance.lognormvariate(0, SPREAD) * MEDIAN_WORDS))
        first = total * 2 // 3
        begin = chance.randrange(len(words) - total)
        parts = words[begin : begin + first], words[begin + first : begin + total]
        pairs.append(Classified(" ".join(parts[0]), " ".join(parts[1]), LABELS[number % 3]))
    return pairs


def read_pairs(folder: Path, count: int) -> list[Classified]:
    return list(read_train(find_train(folder)["en"])[:count])


def measure(model: Path, pairs: Sequence[Classified], arguments: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """All rates in examples a second."""
    ours = Ours(model, pairs, arguments)
    theirs = {padding: Theirs(model, pairs, arguments, workspace, padding) for padding in ("dynamic", "padded")}
    runs: dict[str, Callable[[], float]] = {
        "examples_per_s": ours.train,
        "huggingface_examples_per_s": theirs["dynamic"].train,
        "huggingface_padded_examples_per_s": theirs["padded"].train,
        "inference_examples_per_s": ours.predict,
        "huggingface_inference_examples_per_s": theirs["dynamic"].predict,
        "huggingface_padded_inference_examples_per_s": theirs["padded"].predict,
    }
    rounds = [{name: run() for name, run in runs.items()} for _ in range(arguments.rounds)]
    ratios = {
        f"ratio_huggingface{end}": [each[f"{work}examples_per_s"] / each[f"huggingface{padded}_{work}examples_per_s"]
                                    for each in rounds]
        for end, padded, work in (("", "", ""), ("_padded", "_padded", ""), ("_inference", "", "inference_"))
    }  # fmt: skip
    return {
        **measured("torch", "transformers", "accelerate"),
        **{name: round(median(each[name] for each in rounds), 2) for name in runs},
        **{name: round(median(found), 3) for name, found in ratios.items()},
        "spread": {name: spread(found) for name, found in ratios.items()},
        "padding_share": ours.padding_share(),
        "examples": len(pairs),
        "batch": arguments.batch,
        "length": arguments.length,
        "rounds": arguments.rounds,
        "precision": arguments.precision,
        "parameters": ours.parameters(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }


class Ours:
    """The library's own tuner."""

    def __init__(self, model: Path, pairs: Sequence[Classified], arguments: argparse.Namespace) -> None:
        encoder = load(model)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        encoder.model.to(device)
        torch.manual_seed(1)
        head = Head(encoder, BENCHMARKS["xnli"]).to(device)
        config = FinetuneConfig(batch=arguments.batch, max_tokens=arguments.length, precision=arguments.precision)
        self._tuner = Tuner(head, encoder.tokenizer, BENCHMARKS["xnli"], config, arguments.length)
        self._rows = self._tuner.prepare(pairs)
        self._optimizer = self._tuner.optimizer()
        self._warm = False

    def train(self) -> float:
        if not self._warm:
            few = replace(self._rows, rows=self._rows.rows[: self._tuner.config.batch * WARM_UPDATES])
            self._tuner.train_epoch(few, self._optimizer, 0)
            self._warm = True
        return _rate(len(self._rows.rows), lambda: self._tuner.train_epoch(self._rows, self._optimizer, 0))

    def predict(self) -> float:
        return _rate(len(self._rows.rows), lambda: self._tuner.predict({"en": self._rows}))

    def parameters(self) -> int:
        return sum(part.numel() for part in self._tuner.head.parameters())

    def padding_share(self) -> float:
        """Of the tokens of a training pass."""
        from evaluation.batches import training_order

        lengths = Prepared((), self._rows.rows).lengths
        order = training_order(lengths, self._tuner.config.batch, 1, 0)
        padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in order)
        return round(1 - sum(lengths) / padded, 4)


class Theirs:
    """Hugging Face's Trainer on its own class and tokenizer; rows are tokenized beforehand, as with ours."""

    def __init__(
        self, model: Path, pairs: Sequence[Classified], arguments: argparse.Namespace, workspace: Path, padding: str
    ) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(model))
        made = tokenizer(
            [pair.first for pair in pairs],
            [pair.second for pair in pairs],
            truncation=True,
            max_length=arguments.length,
            padding="max_length" if padding == "padded" else False,
        )
        self._data = [
            {"input_ids": ids, "attention_mask": mask, "labels": LABELS.index(pair.label)}
            for ids, mask, pair in zip(made["input_ids"], made["attention_mask"], pairs, strict=True)
        ]
        self._model = transformers.AutoModelForSequenceClassification.from_pretrained(str(model), num_labels=3)
        self._collate = transformers.DataCollatorWithPadding(tokenizer)
        self._settings = {
            "output_dir": str(workspace / "trainer"), "per_device_train_batch_size": arguments.batch,
            "per_device_eval_batch_size": arguments.batch, "num_train_epochs": 1, "learning_rate": 1e-5,
            "report_to": [], "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "seed": 1,
            "bf16": arguments.precision == "bfloat16", "use_cpu": not torch.cuda.is_available(),
        }  # fmt: skip
        self._warm = False

    def _trainer(self, rows: Sequence[Any]) -> Any:
        made = transformers.TrainingArguments(**self._settings)
        return transformers.Trainer(model=self._model, args=made, train_dataset=rows, data_collator=self._collate)

    def train(self) -> float:
        if not self._warm:
            self._trainer(self._data[: self._settings["per_device_train_batch_size"] * WARM_UPDATES]).train()
            self._warm = True
        trainer = self._trainer(self._data)
        return _rate(len(self._data), trainer.train)

    def predict(self) -> float:
        trainer = self._trainer(self._data)
        return _rate(len(self._data), lambda: trainer.predict(self._data))


def _rate(examples: int, run: Callable[[], Any]) -> float:
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    begin = clock()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return examples / (clock() - begin)


if __name__ == "__main__":
    sys.exit(main())
