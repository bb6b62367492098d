"""Small benchmark sets written for this project, in the official file formats, so that the official readers run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from embedded.sentences import WORDS, combination, sentence

TRAIN, DEV, TEST = 90, 12, 30  # examples of each language, by part
XNLI_COLUMNS = ("language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse",
                "sentence2_parse", "sentence1", "sentence2", "promptID", "pairID", "genre", "label1", "label2",
                "label3", "label4", "label5", "sentence1_tokenized", "sentence2_tokenized", "match")  # fmt: skip
MLQA_LANGUAGES = ("en", "de", "es")
PERSONS = (
    ("Maria", "Keller"),
    ("John", "Okoro"),
    ("Ana", "Torres"),
    ("Pieter", "Visser"),
    ("Lena", "Novak"),
    ("Tomas", "Reyes"),
)
PLACES = ("Lagos", "Berlin", "Lima", "Utrecht", "Oslo", "Nairobi", "Quito", "Vienna")
FIRMS = ("Nordwind", "Acme", "Solaris", "Delta", "Meridian")
EVENTS = ("Olympics", "Biennale", "Oktoberfest")
# {p} a person, {l} a place, {o} a firm, {m} an event; spaces part the words.
CONLL_SENTENCES = {
    "en": ("{p} works for {o} in {l} .", "{o} opened an office in {l} .", "The {m} in {l} were visited by {p} .",
           "Yesterday it rained all day ."),
    "de": ("{p} arbeitet für {o} in {l} .", "{o} eröffnete ein Büro in {l} .", "Die {m} in {l} besuchte {p} .",
           "Gestern regnete es den ganzen Tag ."),
    "es": ("{p} trabaja para {o} en {l} .", "{o} abrió una oficina en {l} .", "{p} visitó los {m} en {l} .",
           "Ayer llovió todo el día ."),
    "nl": ("{p} werkt voor {o} in {l} .", "{o} opende een kantoor in {l} .", "De {m} in {l} werden bezocht door {p} .",
           "Gisteren regende het de hele dag ."),
}  # fmt: skip
CONLL_NAMES = {"en": "eng", "de": "deu", "es": "esp", "nl": "ned"}
CONLL_PARTS = {"train": (0, TRAIN), "testa": (TRAIN, DEV), "testb": (TRAIN + DEV, TEST)}
GOOD = ("a warm and clever film", "a joy from the first scene", "wonderfully acted", "a bright and moving story")
BAD = ("a dull and empty film", "a bore from the first scene", "badly acted", "a tired and clumsy story")
FRAMES = ("it is {}", "{} , and everybody in the hall felt it", "all in all {}", "the critics call it {}")


def make_benchmarks(folder: Path) -> Path:
    """Write the folders xnli, conll, mlqa and glue; the same bytes on every call."""
    if (folder / ".made").exists():
        return folder
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    for write, name in (
        (_write_xnli, "xnli"),
        (_write_conll, "conll"),
        (_write_mlqa, "mlqa"),
        (_write_sst2, "glue/SST-2"),
    ):
        (aside / name).mkdir(parents=True)
        write(aside / name)
    (aside / ".made").touch()
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
    return folder


def _write_xnli(folder: Path) -> None:
    rows = [nli_pair("en", number) for number in range(TRAIN)]
    named = [
        (premise, hypothesis, label.replace("contradiction", "contradictory")) for premise, hypothesis, label in rows
    ]
    _write_tsv(folder / "multinli.train.en.tsv", [("premise", "hypo", "label"), *named])
    for part, first, count in (("dev", TRAIN, DEV), ("test", TRAIN + DEV, TEST)):
        lines: list[tuple[str, ...]] = [XNLI_COLUMNS]
        for language in WORDS:
            for number in range(first, first + count):
                premise, hypothesis, label = nli_pair(language, number)
                known = {"language": language, "gold_label": label, "sentence1": premise, "sentence2": hypothesis,
                         "promptID": str(number), "pairID": str(number), "genre": "written"}  # fmt: skip
                lines.append(tuple(known.get(column, "") for column in XNLI_COLUMNS))
        _write_tsv(folder / f"xnli.{part}.tsv", lines)


def nli_pair(language: str, number: int) -> tuple[str, str, str]:
    """Premise, hypothesis, label; the same item in every language, the classes in turn.

    Entailed: a part of the premise.  Contradicted: another place at the same time.  Neutral: a reason is added.
    """
    words = WORDS[language]
    who, does, where, when = combination(number * 7 + 3_000)
    premise = sentence(words, who, does, where, when)
    if number % 3 == 0:
        return premise, f"{words.who[who]} {words.does[does]} {words.where[where]}.", "entailment"
    if number % 3 == 1:
        reason = words.because[number // 3 % 4]
        return premise, f"{words.who[who]} {words.does[does]}, {reason}.", "neutral"
    return premise, sentence(words, who, does, (where + 1 + number // 3 % 7) % 8, when), "contradiction"


def _write_conll(folder: Path) -> None:
    """English and German as in 2003 (IOB1; German with lemmas), Spanish and Dutch as in 2002 (IOB2)."""
    for language, name in CONLL_NAMES.items():
        for part, (first, count) in CONLL_PARTS.items():
            blocks = ["" if language == "es" else _document_start(language)]
            for number in range(first, first + count):
                words, tags = tagged_sentence(language, number)
                shown = to_iob1(tags) if language in ("en", "de") else tags
                blocks.append("".join(_conll_line(language, w, t) for w, t in zip(words, shown, strict=True)) + "\n")
            (folder / f"{name}.{part}").write_text("".join(blocks), encoding="utf-8")


def tagged_sentence(language: str, number: int) -> tuple[list[str], list[str]]:
    """Words and IOB2 tags."""
    template = CONLL_SENTENCES[language][number % 4]
    names = {
        "{p}": ("PER", PERSONS[number // 4 % len(PERSONS)]),
        "{l}": ("LOC", (PLACES[number // 3 % len(PLACES)],)),
        "{o}": ("ORG", (FIRMS[number // 2 % len(FIRMS)],)),
        "{m}": ("MISC", (EVENTS[number // 5 % len(EVENTS)],)),
    }
    words: list[str] = []
    tags: list[str] = []
    for token in template.split():
        kind, parts = names.get(token, ("", (token,)))
        words += parts
        tags += [f"{'I' if index else 'B'}-{kind}" if kind else "O" for index in range(len(parts))]
    return words, tags


def to_iob1(tags: Sequence[str]) -> list[str]:
    """B- only where an entity touches another of its type."""
    before = ["O", *tags[:-1]]
    return [
        f"I-{tag[2:]}" if tag.startswith("B-") and last[2:] != tag[2:] else tag
        for tag, last in zip(tags, before, strict=True)
    ]


def _conll_line(language: str, word: str, tag: str) -> str:
    columns = {"en": ("X", "O"), "de": (word.lower(), "X", "O"), "es": (), "nl": ("X",)}[language]
    return " ".join((word, *columns, tag)) + "\n"


def _document_start(language: str) -> str:
    """Dutch has no blank line after it."""
    return "-DOCSTART- -X- O\n" if language == "nl" else "-DOCSTART- -X- -X- O\n\n"


def _write_mlqa(folder: Path) -> None:
    (folder / "train-v1.1.json").write_text(_squad("en", 0, TRAIN), encoding="utf-8")
    for part, first, count in (("dev", TRAIN, DEV), ("test", TRAIN + DEV, TEST)):
        (folder / part).mkdir()
        for language in MLQA_LANGUAGES:
            name = f"{part}-context-{language}-question-{language}.json"
            (folder / part / name).write_text(_squad(language, first, count), encoding="utf-8")


def _squad(language: str, first: int, count: int) -> str:
    paragraphs = [_question(language, number) for number in range(first, first + count)]
    return json.dumps({"version": "1.1", "data": [{"title": "written", "paragraphs": paragraphs}]}, ensure_ascii=False)


def _question(language: str, number: int) -> dict[str, object]:
    """Three sentences; the question asks for the place of one of them."""
    words = WORDS[language]
    rows = [combination(number * 11 + 2_000 + extra) for extra in range(3)]
    context = " ".join(sentence(words, *row) for row in rows)
    who, does, where, _ = rows[number % 3]
    said = sentence(words, *rows[number % 3])
    start = context.index(said) + len(f"{words.who[who]} {words.does[does]} ")
    question = words.where_question.format(who=words.who[who], does=words.does[does])
    answer = {"text": words.where[where], "answer_start": start}
    return {"context": context, "qas": [{"id": f"{language}-{number}", "question": question, "answers": [answer]}]}


def _write_sst2(folder: Path) -> None:
    rows = [sentiment(number) for number in range(TRAIN + TEST)]
    _write_tsv(folder / "train.tsv", [("sentence", "label"), *rows[:TRAIN]])
    _write_tsv(folder / "dev.tsv", [("sentence", "label"), *rows[TRAIN:]])


def sentiment(number: int) -> tuple[str, str]:
    """A remark and its label, 1 for good."""
    good = number % 2 == 0
    said = (GOOD if good else BAD)[number // 2 % 4]
    who = WORDS["en"].who[number // 3 % 8].lower()
    return f"{FRAMES[number // 8 % 4].format(said)} , says {who}", "1" if good else "0"


def _write_tsv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
