"""GLUE's dev sets (Wang et al. 2018).  Table 4 of the XLM-R paper; GLUE's test labels are not public.

Files: MNLI, QNLI, QQP, SST-2, MRPC, STS-B, RTE, each with train.tsv and dev.tsv as published (MNLI dev_matched.tsv and
dev_mismatched.tsv; MRPC also msr_paraphrase_train.txt).  What is scored selects nothing: a tenth of train does.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from evaluation.benchmark import Benchmark, Published
from evaluation.benchmarks import xnli
from evaluation.metrics.metric import ACCURACY, PEARSON, POSITIVE_F1, SPEARMAN, Metric
from evaluation.published_files import PublishedFile, PublishedFiles
from evaluation.readers.folders import Problems, find, lines_of, need
from evaluation.readers.tables import held_out, read_classified, read_table
from evaluation.records import DataError, Example, Parts, Rated, Splits, Task
from evaluation.settings import FinetuneConfig

log = logging.getLogger(__name__)
Reader = Callable[[Path, Counter[str]], tuple[Example, ...]]
BINARY = {"0": "0", "1": "1"}
ENTAILMENT = {name: name for name in ("entailment", "not_entailment")}
NLI = {name: name for name in xnli.LABELS}
MRPC_STRINGS = ("#1 String", "#2 String")
# Table 4 has one number a task: the first metric of each pair here (MRPC and QQP accuracy, STS-B Pearson, as in
# RoBERTa's dev table, from which its other rows come).
PAPER = {
    "BERT-Large": (86.6, None, 92.3, 91.3, 93.2, 88.0, 90.0),
    "XLNet-Large": (89.8, None, 93.9, 91.8, 95.6, 89.2, 91.8),
    "RoBERTa": (90.2, 90.2, 94.7, 92.2, 96.4, 90.9, 92.4),
    "XLM-R": (88.9, 89.0, 93.8, 92.3, 95.0, 89.5, 91.2),
}
AVERAGES = {"BERT-Large": 90.2, "XLNet-Large": 92.0, "RoBERTa": 92.8, "XLM-R": 91.8}
FOLDERS = ("MNLI", "QNLI", "QQP", "SST-2", "MRPC", "STS-B", "RTE")
TABLE_4 = ("mnli", "qnli", "qqp", "sst2", "mrpc", "stsb")


def read_rated(path: Path, left_out: Counter[str]) -> tuple[Rated, ...]:
    """STS-B: similarity from 0 to 5."""
    problems, rated = Problems(path), []
    for line, row in read_table(path, ("sentence1", "sentence2", "score")):
        try:
            value = float(row["score"])
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 5.0:
            problems.add(f"line {line}", f"score {row['score']!r}: wanted a number from 0 to 5")
        if not row["sentence1"].strip() and not row["sentence2"].strip():
            problems.add(f"line {line}", "no text")
        rated.append(Rated(row["sentence1"], row["sentence2"], value))
    problems.check()
    return tuple(rated)


def read_mrpc_train(folder: Path) -> tuple[Path, tuple[Example, ...]]:
    """train.tsv, or the corpus as Microsoft published it without the pairs that stand in GLUE's dev.tsv."""
    if path := find(folder, "train.tsv"):
        return path, read_classified(path, (*MRPC_STRINGS, "Quality"), BINARY)
    path = need(folder, "msr_paraphrase_train.txt")
    ids = ("#1 ID", "#2 ID")
    dev_path = need(folder, "dev.tsv")
    dev = {tuple(row[name] for name in ids): line for line, row in read_table(dev_path, ids)}
    rows = read_table(path, (*ids, *MRPC_STRINGS, "Quality"))
    if missing := list(dev.keys() - {tuple(row[name] for name in ids) for _, row in rows}):
        problems = Problems(dev_path)
        for pair in sorted(missing, key=dev.__getitem__):
            problems.add(f"line {dev[pair]}", f"ids {' '.join(pair)}: no pair of {path.name}, so it cannot be left out")
        problems.check()
    examples = read_classified(path, (*MRPC_STRINGS, "Quality"), BINARY)
    kept = (example for (_, row), example in zip(rows, examples, strict=True)
            if tuple(row[name] for name in ids) not in dev)  # fmt: skip
    return path, tuple(kept)


def _reader(first: str, second: str | None, label: str, labels: Mapping[str, str], *, count_short: bool) -> Reader:
    def read(path: Path, left_out: Counter[str]) -> tuple[Example, ...]:
        return read_classified(path, (first, second, label), labels, left_out=left_out if count_short else None)

    return read


def _task(
    name: str,
    title: str,
    folder: str,
    reader: Reader,
    metrics: tuple[Metric, ...],
    labels: tuple[str, ...],
    finetuning: FinetuneConfig,
    *,
    task: Task = "classification",
    tests: Mapping[str, str] | None = None,
    licence: str = "see the task's authors",
) -> Benchmark:
    """`tests`: test set -> its file."""
    files = tests or {"en": "dev.tsv"}

    def read(root: Path, data: Path) -> Splits:
        place = _task_folder(root, folder)
        left_out: Counter[str] = Counter()
        if name == "mrpc":
            train_file, train = read_mrpc_train(place)
        else:
            train_file = need(place, "train.tsv")
            train = reader(train_file, left_out)
        paths = {key: need(place, file) for key, file in files.items()}
        kept, rest = held_out(train)
        test = {key: reader(path, left_out) for key, path in paths.items()}
        return Splits({"en": kept}, {"en": rest}, test, scored="dev", dev_is="held out from train",
                      files=(train_file, *paths.values()), left_out=left_out)  # fmt: skip

    def read_gold(path: Path) -> Parts:
        key = next((key for key, file in files.items() if file == path.name), "en")
        return {key: _read_telling(reader, path)}

    return Benchmark(name, title, task, ("glue",), read, read_gold, metrics, ("transfer",), licence,
                     "https://gluebenchmark.com", labels, chance=None if not labels else 100 / len(labels),
                     published=_published(name), finetuning=finetuning, sizes={"dev": SIZES[name]},
                     published_files=_files(name, folder))  # fmt: skip


def _read_telling(reader: Reader, path: Path) -> tuple[Example, ...]:
    """One file alone; what is left out of it is told."""
    left_out: Counter[str] = Counter()
    examples = reader(path, left_out)
    for reason, rows in left_out.items():
        log.warning("%s: %d rows are left out (%s): predictions are wanted for the %d others", path, rows, reason,
                    len(examples))  # fmt: skip
    return examples


def _task_folder(root: Path, name: str) -> Path:
    """GLUE/NAME, or the folder itself where it is not one of several tasks.  Raises DataError."""
    if (root / name).is_dir():
        return root / name
    if any((root / other).is_dir() for other in FOLDERS):
        raise DataError(f"{root / name}: no such folder: put the task's published train.tsv and dev.tsv there")
    return root


def _published(name: str) -> tuple[Published, ...]:
    if name not in TABLE_4:
        return ()
    place = TABLE_4.index(name)
    found = []
    for system, scores in PAPER.items():
        known = {"en": scores[place + 1]} if place else {"en-matched": scores[0], "en-mismatched": scores[1]}
        given = {key: score for key, score in known.items() if score is not None}
        languages = 100 if system == "XLM-R" else 1
        found.append(Published(system, "transfer", given, languages=languages, table="4"))
    return tuple(found)


def make_mrpc_dev(data: Path) -> None:
    """GLUE's dev.tsv: the pairs of Microsoft's training file that GLUE's list of ids names.  Raises DataError."""
    folder = data / "glue" / "MRPC"
    ids = {line.strip() for _, line in lines_of(need(folder, "mrpc_dev_ids.tsv"))} - {""}
    (_, header), *rows = lines_of(need(folder, "msr_paraphrase_train.txt"))
    chosen = [line for _, line in rows if "\t".join(line.split("\t")[1:3]) in ids]
    if len(chosen) != len(ids):
        raise DataError(f"{folder}: {len(chosen)} of {len(ids)} pairs of mrpc_dev_ids.tsv in msr_paraphrase_train.txt")
    (folder / "dev.tsv").write_text("".join(f"{line}\n" for line in (header, *chosen)), encoding="utf-8", newline="")


# Sizes and digests as the Hugging Face library `datasets` stated them (its dataset_infos.json of glue): the archive of
# each task, from which train.tsv and its dev files are taken.
ARCHIVES = {
    "mnli": ("MNLI.zip", 312_783_507, "e7c1d896d26ed6caf700110645df426cc2d8ebf02a5ab743d5a5c68ac1c83633"),
    "qnli": ("QNLIv2.zip", 10_627_589, "e634e78627a29adaecd4f955359b22bf5e70f2cbd93b493f2d624138a0c0e5f5"),
    "qqp": ("QQP-clean.zip", 41_696_084, "40e7c862c04eb26ee04b67fd900e76c45c6ba8e6d8fab4f8f1f8072a1a3fbae0"),
    "sst2": ("SST-2.zip", 7_439_277, "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa"),
    "stsb": ("STS-B.zip", 802_872, "e60a6393de5a8b5b9bac5020a1554b54e3691f9d600b775bd131e613ac179c85"),
    "rte": ("RTE.zip", 697_150, "6bf86de103ecd335f3441bd43574d23fef87ecc695977a63b82d5efb206556ee"),
}
MRPC_FILES = PublishedFiles((
    PublishedFile("https://dl.fbaipublicfiles.com/senteval/senteval_data/msr_paraphrase_train.txt", 1_047_044,
                  "60a9b09084528f0673eedee2b69cb941920f0b8cd0eeccefc464a98768457f89",
                  "glue/MRPC/msr_paraphrase_train.txt"),
    PublishedFile("https://dl.fbaipublicfiles.com/glue/data/mrpc_dev_ids.tsv", 6_222,
                  "971d7767d81b997fd9060ade0ec23c4fc31cbb226a55d1bd4a1bac474eb81dc7",
                  "glue/MRPC/mrpc_dev_ids.tsv"),
), make=make_mrpc_dev)  # fmt: skip


def _files(name: str, folder: str) -> PublishedFiles:
    if name == "mrpc":
        return MRPC_FILES
    archive, size, sha256 = ARCHIVES[name]
    members = ("train.tsv", *(("dev_matched.tsv", "dev_mismatched.tsv") if name == "mnli" else ("dev.tsv",)))
    url = f"https://dl.fbaipublicfiles.com/glue/data/{archive}"
    return PublishedFiles((PublishedFile(url, size, sha256, f"glue/{folder}", members),))


# Of the dev sets.
SIZES = {"mnli": {"en-matched": 9815, "en-mismatched": 9832}, "qnli": {"en": 5463}, "qqp": {"en": 40430},
         "sst2": {"en": 872}, "mrpc": {"en": 408}, "stsb": {"en": 1500}, "rte": {"en": 277}}  # fmt: skip
# RoBERTa's (fairseq's GLUE configurations); XLM-R's own are not published.
ROBERTA = FinetuneConfig(epochs=10, batch=32, learning_rate=1e-5, weight_decay=0.1)
SMALL = replace(ROBERTA, batch=16)

BENCHMARKS = (
    _task("mnli", "MNLI of GLUE, dev sets (table 4)", "MNLI",
          _reader("sentence1", "sentence2", "gold_label", NLI, count_short=False), (ACCURACY,), xnli.LABELS, ROBERTA,
          tests={"en-matched": "dev_matched.tsv", "en-mismatched": "dev_mismatched.tsv"},
          licence="MultiNLI: OANC and others, free"),
    _task("qnli", "QNLI of GLUE, dev set (table 4)", "QNLI",
          _reader("question", "sentence", "label", ENTAILMENT, count_short=False), (ACCURACY,), tuple(ENTAILMENT),
          ROBERTA, licence="from SQuAD, CC BY-SA 4.0"),
    _task("qqp", "QQP of GLUE, dev set (table 4)", "QQP",
          _reader("question1", "question2", "is_duplicate", BINARY, count_short=True), (ACCURACY, POSITIVE_F1),
          ("0", "1"), ROBERTA, licence="Quora, non-commercial"),
    _task("sst2", "SST-2 of GLUE, dev set (table 4)", "SST-2",
          _reader("sentence", None, "label", BINARY, count_short=False), (ACCURACY,), ("0", "1"), ROBERTA),
    _task("mrpc", "MRPC of GLUE, dev set (table 4)", "MRPC",
          _reader(*MRPC_STRINGS, "Quality", BINARY, count_short=False), (ACCURACY, POSITIVE_F1), ("0", "1"), SMALL,
          licence="Microsoft shared source"),
    _task("stsb", "STS-B of GLUE, dev set (table 4)", "STS-B", read_rated, (PEARSON, SPEARMAN), (),
          replace(SMALL, learning_rate=2e-5), task="regression", licence="CC BY-SA 4.0 for the scores"),
    _task("rte", "RTE of GLUE, dev set", "RTE",
          _reader("sentence1", "sentence2", "label", ENTAILMENT, count_short=False), (ACCURACY,), tuple(ENTAILMENT),
          replace(SMALL, learning_rate=2e-5)),
)  # fmt: skip
