"""Named entities of CoNLL-2002 (es, nl) and CoNLL-2003 (en, de).  Table 2 of the XLM-R paper.

Files: eng, deu, esp, ned with .train, .testa and .testb.  The English and German texts are not free: put your own copy
there.  Each language is read that has files; none without its .testb.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.benchmark import Benchmark, Published
from evaluation.metrics.metric import ENTITY_F1
from evaluation.published_files import PublishedFiles, in_repository
from evaluation.readers.conll import read_conll, tags_of
from evaluation.readers.folders import find
from evaluation.readers.parts import read_parts
from evaluation.records import DataError, Parts, Splits
from evaluation.settings import FinetuneConfig, Setting

TYPES = ("PER", "LOC", "ORG", "MISC")
NAMES = {"en": "eng", "nl": "ned", "es": "esp", "de": "deu"}


def read(folder: Path, data: Path) -> Splits:
    found = {
        part: {language: path for language, name in NAMES.items() if (path := find(folder, f"{name}.{part}"))}
        for part in ("train", "testa", "testb")
    }
    if not found["testb"]:
        wanted = ", ".join(f"{name}.testb" for name in NAMES.values())
        raise DataError(f"{folder}: no such file: wanted one of {wanted} with .train and .testa beside it")
    return read_parts(folder, found.values(), lambda path: read_conll(path, TYPES))


def read_gold(path: Path) -> Parts:
    language = {name: language for language, name in NAMES.items()}.get(path.name.split(".")[0], path.stem)
    return {language: read_conll(path, TYPES)}


def _row(system: str, setting: Setting, models: str, *scores: float | None) -> Published:
    *values, average = scores
    known = {language: score for language, score in zip(NAMES, values, strict=True) if score is not None}
    return Published(system, setting, known, average, models, table="2")


PUBLISHED = (
    _row("Lample et al. (2016)", "each", "N", 90.74, 81.74, 85.75, 78.76, 84.25),
    _row("Akbik et al. (2018)", "each", "N", 93.18, 90.44, None, 88.27, None),
    _row("mBERT", "each", "N", 91.97, 90.94, 87.38, 82.82, 88.28),
    _row("mBERT", "transfer", "1", 91.97, 77.57, 74.96, 69.56, 78.52),
    _row("XLM-R Base", "each", "N", 92.25, 90.39, 87.99, 84.60, 88.81),
    _row("XLM-R Base", "transfer", "1", 92.25, 78.08, 76.53, 69.60, 79.11),
    _row("XLM-R Base", "all", "1", 91.08, 89.09, 87.28, 83.17, 87.66),
    _row("XLM-R", "each", "N", 92.92, 92.53, 89.72, 85.81, 90.24),
    _row("XLM-R", "transfer", "1", 92.92, 80.80, 78.64, 71.40, 80.94),
    _row("XLM-R", "all", "1", 92.00, 91.60, 89.52, 84.60, 89.43),
)

# CoNLL-2002, of which this repository has the files; digests: its files at that commit.
PUBLISHED_FILES = PublishedFiles(
    in_repository("teropa/nlp", "f89bc5a15b516208de1cfe2abe9692b7ed9a43e2", (
        ("resources/corpora/conll2002/esp.train", 2_970_825,
         "a20d95cab7d88a19a86f8c1ad6329325c99fbd9529ed978cbd7e31d4b01b4008"),
        ("resources/corpora/conll2002/esp.testa", 594_058,
         "85c17793b77881c53d19017d9d0f1e6fb98b7ddcab54a5f24b05ed1793103c87"),
        ("resources/corpora/conll2002/esp.testb", 575_807,
         "1f8f7a392c6d4979a5592a5794eed43d7869b46da6851bbcde99714149f1d016"),
        ("resources/corpora/conll2002/ned.train", 2_377_174,
         "0a419dcb356b62c8cff38515675550b3d5dbea9f45a1c4956328dbd5cc7fcdbc"),
        ("resources/corpora/conll2002/ned.testa", 450_785,
         "51259d4bfe52462f211d3d0b67173a7ecbfa296e199f6c6bd0895f4c78155057"),
        ("resources/corpora/conll2002/ned.testb", 814_282,
         "2aa748edb82e6f9c4d82e57a4bed69ded18cfa4803122c75070335d513517488"),
    ), "conll"),
    by_hand="English and German (CoNLL-2003) need the texts of Reuters and of the ECI CD: put eng.train, eng.testa, "
    "eng.testb and deu.train, deu.testa, deu.testb into the folder conll of a data folder, and give that with --data",
)  # fmt: skip

BENCHMARK = Benchmark(
    name="ner",
    title="NER, CoNLL-2002 and 2003 (table 2)",
    task="tagging",
    folders=("conll", "ner", "conll2002", "conll2003"),
    read=read,
    read_gold=read_gold,
    metrics=(ENTITY_F1,),
    settings=("transfer", "each", "all"),
    licence="research use only; the English and German texts have their own licences",
    home="https://www.clips.uantwerpen.be/conll2003/ner/",
    labels=tags_of(TYPES),
    chance=0.0,
    sizes={"test": {"en": 3453, "nl": 5195, "es": 1517, "de": 3005}},
    places=2,
    published=PUBLISHED,
    published_files=PUBLISHED_FILES,
    finetuning=FinetuneConfig(epochs=10, batch=32, learning_rate=2e-5),  # the paper's are not published; ours
)
