"""The official files of XNLI, CoNLL-2002/2003, SQuAD/MLQA and GLUE as records.

Folders: DATA/xnli, DATA/conll, DATA/mlqa, DATA/glue, with the files' published names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from evaluation.records import Classified, DataError, Question, Splits, Tagged

# XNLI-MT spells the third label differently from XNLI.
NLI_LABELS = {"contradictory": "contradiction"} | {name: name for name in ("entailment", "neutral", "contradiction")}
CONLL_FILES = {"en": "eng", "de": "deu", "es": "esp", "nl": "ned"}
DOCUMENT_START = "-DOCSTART-"


def read_splits(benchmark: str, data: Path) -> Splits:
    """All data of one benchmark under its folder.  Raises DataError."""
    readers: Mapping[str, Callable[[Path], Splits]] = {
        "xnli": lambda folder: read_xnli(folder / "xnli"),
        "ner": lambda folder: read_conll_folder(folder / "conll"),
        "mlqa": lambda folder: read_mlqa(folder / "mlqa"),
        "sst2": lambda folder: read_sst2(folder / "glue" / "SST-2"),
    }
    if benchmark not in readers:
        raise DataError(f"benchmark {benchmark!r}: wanted one of {', '.join(readers)}")
    return readers[benchmark](data)


def read_xnli(folder: Path) -> Splits:
    """MultiNLI training pairs, and XNLI's dev and test of all languages (official or XTREME's files)."""
    train = read_nli_train(_existing(folder / "multinli.train.en.tsv"))
    if (folder / "xnli.dev.tsv").exists():
        dev, test = read_xnli_file(folder / "xnli.dev.tsv"), read_xnli_file(_existing(folder / "xnli.test.tsv"))
        return Splits(train, dev["en"], dict(test))
    dev_en = read_xtreme_nli(_existing(folder / "dev-en.tsv"))
    tests = {path.stem.split("-", 1)[1]: read_xtreme_nli(path) for path in sorted(folder.glob("test-*.tsv"))}
    return Splits(train, dev_en, {language: rows for language, rows in tests.items() if rows})


def read_nli_train(path: Path) -> tuple[Classified, ...]:
    """XNLI-MT: a header, then premise, hypo, label."""
    rows = list(_tsv(path))
    if not rows or "label" not in rows[0]:
        raise DataError(f"{path}: no header with premise, hypo, label")
    return tuple(Classified(row["premise"], row["hypo"], _nli_label(path, row["label"])) for row in rows)


def read_xnli_file(path: Path) -> dict[str, tuple[Classified, ...]]:
    """xnli.dev.tsv or xnli.test.tsv: columns by header name, language -> pairs in the file's order."""
    found: dict[str, list[Classified]] = {}
    for row in _tsv(path):
        if not {"language", "gold_label", "sentence1", "sentence2"} <= row.keys():
            raise DataError(f"{path}: header {', '.join(row)}; wanted language, gold_label, sentence1, sentence2")
        pair = Classified(row["sentence1"], row["sentence2"], _nli_label(path, row["gold_label"]))
        found.setdefault(row["language"], []).append(pair)
    return {language: tuple(pairs) for language, pairs in found.items()}


def read_xtreme_nli(path: Path) -> tuple[Classified, ...]:
    """XTREME's layout: premise, hypothesis, label without a header, written with quotes; no label, no example."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if len(row) >= 3]
    return tuple(Classified(row[0], row[1], _nli_label(path, row[2])) for row in rows)


def read_conll_folder(folder: Path) -> Splits:
    """eng, deu, esp, ned with .train, .testa, .testb; trained on and selected by English."""
    names = {lang: name for lang, name in CONLL_FILES.items() if (folder / f"{name}.testb").exists()}
    test = {lang: read_conll(folder / f"{name}.testb") for lang, name in names.items()}
    train, dev = (read_conll(_existing(folder / f"eng.{part}")) for part in ("train", "testa"))
    return Splits(train, dev, dict(test))


def read_conll(path: Path) -> tuple[Tagged, ...]:
    """Words (first column) and tags (last), as IOB2; -DOCSTART- lines are left out, not the sentence behind them."""
    sentences, words, tags = [], [], []
    for line in [*_text(path).splitlines(), ""]:
        columns = line.split()
        if columns and columns[0] == DOCUMENT_START:
            columns = []
        if columns:
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            sentences.append(Tagged(tuple(words), to_iob2(tags)))
            words, tags = [], []
    if not sentences:
        raise DataError(f"{path}: no sentence: wanted lines of words and tags")
    return tuple(sentences)


def to_iob2(tags: list[str]) -> tuple[str, ...]:
    """IOB1 or IOB2 to IOB2: an I- that begins an entity becomes B-."""
    fixed, before = [], "O"
    for tag in tags:
        if tag.startswith("I-") and (before == "O" or before[2:] != tag[2:]):
            tag = f"B-{tag[2:]}"
        fixed.append(tag)
        before = tag
    return tuple(fixed)


def read_mlqa(folder: Path) -> Splits:
    """SQuAD training questions, English dev, and the test files whose question and context share a language."""
    train = read_squad(_existing(folder / "train-v1.1.json"))
    dev = read_squad(_existing(folder / "dev" / "dev-context-en-question-en.json"))
    test = {}
    for path in sorted((folder / "test").glob("test-context-*-question-*.json")):
        _, _, context, _, question = path.stem.split("-")
        if context == question:
            test[context] = read_squad(path)
    return Splits(train, dev, dict(test))


def read_squad(path: Path) -> tuple[Question, ...]:
    """SQuAD v1.1's JSON."""
    try:
        articles = json.loads(_text(path))["data"]
        return tuple(
            Question(
                str(qa["id"]),
                qa["question"],
                paragraph["context"],
                tuple((answer["text"], int(answer["answer_start"])) for answer in qa["answers"]),
            )
            for article in articles
            for paragraph in article["paragraphs"]
            for qa in paragraph["qas"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {error!r}: wanted SQuAD v1.1's JSON") from error


def read_sst2(folder: Path) -> Splits:
    """GLUE's SST-2; its test labels are not public, so dev is what is scored, and a tenth of train selects."""
    train, test = (tuple(_sst2(_existing(folder / f"{part}.tsv"))) for part in ("train", "dev"))
    return Splits(tuple(r for i, r in enumerate(train) if i % 10), train[::10], {"en": test})


def _sst2(path: Path) -> Iterator[Classified]:
    for row in _tsv(path):
        if not {"sentence", "label"} <= row.keys():
            raise DataError(f"{path}: header {', '.join(row)}; wanted sentence, label")
        yield Classified(row["sentence"], None, row["label"])


def _tsv(path: Path) -> Iterator[dict[str, str]]:
    """Rows by header name, unquoted: in these files a quotation mark is a character."""
    lines = _text(path).split("\n")
    header = lines[0].rstrip("\r").split("\t")
    for number, line in enumerate(lines[1:], 2):
        values = line.rstrip("\r").split("\t")
        if values == [""]:
            continue
        if len(values) < len(header):
            raise DataError(f"{path} line {number}: {len(values)} columns, its header has {len(header)}")
        yield dict(zip(header, values, strict=False))


def _nli_label(path: Path, label: str) -> str:
    if label not in NLI_LABELS:
        raise DataError(f"{path}: label {label!r}; wanted entailment, neutral or contradiction")
    return NLI_LABELS[label]


def _text(path: Path) -> str:
    """UTF-8 with or without a mark, else Latin-1 (the CoNLL files as first published)."""
    data = _existing(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: no such file: put the benchmark's published file there")
    return path
