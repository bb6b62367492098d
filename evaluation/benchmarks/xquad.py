"""XQuAD: 1,190 questions of SQuAD in 12 languages (Artetxe et al. 2020), scored with SQuAD's own script.

Files: xquad.LANG.json, and SQuAD's train-v1.1.json and, there or beside it, dev-v1.1.json (without the latter, part of
train selects).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from evaluation.benchmark import Benchmark
from evaluation.benchmarks import mlqa
from evaluation.metrics.metric import SQUAD_EXACT, SQUAD_F1
from evaluation.published_files import PublishedFile, PublishedFiles, in_repository
from evaluation.readers.folders import find, matching, merged
from evaluation.readers.squad import read_squad
from evaluation.records import DataError, Parts, Splits


def read(folder: Path, data: Path) -> Splits:
    tests = matching(folder, "xquad.*.json")
    if not tests:
        raise DataError(f"{folder}: no such file: wanted xquad.LANG.json")
    left_out: Counter[str] = Counter()
    train_file = mlqa.find_train(folder, data)
    dev_file = find(folder, "dev-v1.1.json") or find(train_file.parent, "dev-v1.1.json")
    train = read_squad(train_file, train=True, left_out=left_out)
    test = merged(tests, read_gold)
    files = (train_file, *([dev_file] if dev_file else ()), *tests)
    other = mlqa.stand_in(train_file)
    if dev_file:
        return Splits({"en": train}, {"en": read_squad(dev_file)}, test, files=files, left_out=left_out, stand_in=other)
    kept, rest = mlqa.hold_out_contexts(train)
    return Splits({"en": kept}, {"en": rest}, test, dev_is="held out from train", files=files, left_out=left_out,
                  stand_in=other)  # fmt: skip


def read_gold(path: Path) -> Parts:
    return {path.stem.removeprefix("xquad."): read_squad(path)}


# Digests: the repository's files at that commit; SQuAD's as the library `datasets` stated them.
PUBLISHED_FILES = PublishedFiles((
    *in_repository("google-deepmind/xquad", "7d30520c717524000f0d9d2f9c10a069acd9d285", (
        ("xquad.ar.json", 1_582_988, "abdabd7afed5c635d99cca0f3f0d0c9d9ed0bc77451e963c2e4e0638c29e486d"),
        ("xquad.de.json", 669_810, "990b5d746746ed65ed4702ea5f35f99ffa4e2f1c390c07d003642acd937916f9"),
        ("xquad.el.json", 1_918_889, "821cf0f88e73fa258fd2f548b19b6ec39f7025059e16f6f9fc8cd797c9c3663e"),
        ("xquad.en.json", 609_383, "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29"),
        ("xquad.es.json", 684_322, "dcbae93ec3a9f4b9e78fd834a171d6f96c1a875e10e15b7530b7e4ef4971e37e"),
        ("xquad.hi.json", 1_680_538, "df2cce3532b37e9beb8979704b5c9a4bf874358f105395a298b89427b43b9d24"),
        ("xquad.ro.json", 661_158, "94f8d54e93ad2b7dd2e76dd921a666b5b8eff2d4379df9f179c42b445f09643f"),
        ("xquad.ru.json", 1_896_368, "208d5b1aa154c52b1b5c5eda16281e455e8fd198cdb9af3f469f0d6037d973bf"),
        ("xquad.th.json", 1_809_143, "5cdda11d0e1e075f7872abf4e6ae830388ce7f617964d542308e9ae4257e0f43"),
        ("xquad.tr.json", 729_506, "92179a564774b7696100d144c1e10870d0a966b6fccbdd254a65b9d2ab1971cc"),
        ("xquad.vi.json", 911_401, "f619a1eb11fb42d3ab0834259e488a65f585447ef6154437bfb7199d85161a04"),
        ("xquad.zh.json", 808_652, "691d0b3359bc6b8faa8de931dfdfe21d50a65861ae348e32a0d1a0190b0c8835"),
    ), "xquad"),
    replace(mlqa.SQUAD_TRAIN, path="xquad/train-v1.1.json"),
    PublishedFile("https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json", 4_854_279,
                  "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9", "xquad/dev-v1.1.json"),
))  # fmt: skip

BENCHMARK = Benchmark(
    name="xquad",
    title="XQuAD",
    task="span",
    folders=("xquad",),
    read=read,
    read_gold=read_gold,
    metrics=(SQUAD_F1, SQUAD_EXACT),
    settings=("transfer",),
    licence="CC BY-SA 4.0",
    home="https://github.com/google-deepmind/xquad",
    chance=0.0,
    sizes={"test": {"": 1190}},
    published_files=PUBLISHED_FILES,
    finetuning=mlqa.BENCHMARK.finetuning,
)
