"""What decontamination finds of benchmark texts that were put into pages, and what it finds in pages as they are.

    python -m benchmarks.decontamination --json benchmarks/results/decontamination.json

Texts are put into pages of a crawl whole and in part, as they are and changed; recall is by language and change.  The
texts that are too short to be looked for are counted, and not among those of the recall.  Pages as they are may hold
text of a benchmark in truth (Wikipedia's paragraphs): whatever is found there is compared character by character.
Benchmarks lie below a folder as for `xlmr evaluate`, pages in WET files in Common Crawl's layout.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.languages import DATA
from benchmarks.machine import processor
from ccnet.decontaminate import CHARACTERS, BenchmarkIndex, index_texts, units_of
from ccnet.extract import read_documents
from evaluation.texts import evaluated_parts, texts_of

EVAL = DATA.parent / "eval"
NAMES = ("xnli", "ner", "mlqa", "sst2", "mrpc", "stsb", "rte", "americasnli", "pawsx", "panx", "masakhaner", "xquad",
         "tatoeba")  # fmt: skip
SAMPLE = 200  # texts of a language
WIDTH = 40  # characters of a re-wrapped line
LEAST = CHARACTERS.units(CHARACTERS.run) + CHARACTERS.stride - 1  # wherever a part of a text begins


def rewrapped(text: str) -> str:
    """Lines of about WIDTH characters; words are broken where there are no spaces."""
    lines, line = [], ""
    for word in text.split():
        for start in range(0, len(word), WIDTH):
            line = f"{line} {word[start : start + WIDTH]}".strip()
            if len(line) >= WIDTH:
                lines.append(line)
                line = ""
    return "\n".join([*lines, line])


def half(text: str, choose: random.Random) -> str:
    """Half of the characters, from anywhere."""
    start = choose.randrange(len(text) // 2 + 1)
    return text[start : start + len(text) // 2]


def other_marks(text: str) -> str:
    """Straight quotation marks and hyphens in place of others, and the other way round."""
    return text.translate({ord("'"): "’", ord("’"): "'", ord('"'): "“", ord("“"): '"', ord("”"): '"', ord("-"): "–"})


def one_word_in_twelve(text: str) -> str:
    """Each twelfth word left out; of texts without spaces each sixtieth character."""
    words = text.split()
    if len(words) < len(text) / 20:
        return "".join(character for at, character in enumerate(text) if at % 60 != 30)
    return " ".join(word for at, word in enumerate(words) if at % 12 != 6)


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "whole": lambda text, choose: text,
    "re-wrapped": lambda text, choose: rewrapped(text),
    "upper case, wide spaces": lambda text, choose: text.upper().replace(" ", "\u00a0  "),
    "other marks, decomposed": lambda text, choose: unicodedata.normalize("NFD", other_marks(text)),
    "half": half,
    "half, re-wrapped, upper case": lambda text, choose: rewrapped(half(text, choose).upper()),
    "one word in twelve left out": lambda text, choose: one_word_in_twelve(text),
}


def texts_by_language(names: Sequence[str], data: Path) -> dict[str, dict[str, list[str]]]:
    """benchmark -> test set -> distinct texts."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        for parts in evaluated_parts(name, data):
            for language, examples in parts.items():
                texts = dict.fromkeys(text for example in examples for text in texts_of(example) if text)
                found.setdefault(name, {}).setdefault(language, []).extend(texts)
    return found


def recall(index: BenchmarkIndex, texts: Sequence[str], pages: Sequence[str], choose: random.Random) -> dict[str, Any]:
    """Of texts of one benchmark and language: how many are found after each change, in a page of their own."""
    long_enough = [text for text, found in zip(texts, index.benchmarks_in(texts), strict=True) if found]
    chosen = choose.sample(long_enough, min(SAMPLE, len(long_enough)))
    row: dict[str, Any] = {"texts": len(texts), "looked_for": len(long_enough)}
    for change, make in CHANGES.items():
        changed = [make(text, choose) for text in chosen]
        if change.startswith("half"):
            changed = [text for text in changed if units_of(text) >= LEAST]
        injected = [injection(text, choose.choice(pages), choose) for text in changed]
        row[change] = {"sample": len(changed), "found": sum(map(bool, index.benchmarks_in(injected)))}
    return row


def recall_of(rows: Sequence[dict[str, int]]) -> dict[str, float]:
    """Of all languages together."""
    sample = sum(row["sample"] for row in rows)
    return {"sample": sample, "recall": round(sum(row["found"] for row in rows) / max(sample, 1), 4)}


def injection(text: str, page: str, choose: random.Random) -> str:
    """The page with the text as lines of its own."""
    lines = page.split("\n")
    at = choose.randrange(len(lines) + 1)
    return "\n".join([*lines[:at], text, *lines[at:]])


def letters(text: str) -> str:
    """What is compared, made plainly."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LMN")


def shares_text(page: str, texts: Iterable[str]) -> bool:
    """Whether the page has 13 characters in a row of some text: fewer than the rules want of any script (13 Han
    characters count as 39)."""
    plain = letters(page)
    windows = {plain[at : at + 13] for at in range(len(plain) - 12)}
    return any(not windows.isdisjoint(plain_windows(text)) for text in texts)


def plain_windows(text: str) -> set[str]:
    plain = letters(text)
    return {plain[at : at + 13] for at in range(len(plain) - 12)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", type=Path, default=EVAL, help="folder of the benchmarks' files")
    parser.add_argument("--names", nargs="+", default=list(NAMES), metavar="NAME")
    parser.add_argument("--crawl", type=Path, default=DATA / "crawl")
    parser.add_argument("--dump", default="CC-MAIN-2019-35")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print the addresses of N pages with a find")
    arguments = parser.parse_args()
    paths = sorted(arguments.crawl.glob(f"crawl-data/{arguments.dump}/segments/*/wet/*.warc.wet.gz"))
    if not paths or not arguments.benchmarks.is_dir():
        sys.exit(f"{arguments.benchmarks}, {arguments.crawl}: name benchmark files and a crawl with WET files")
    documents = list(read_documents([(path.name, path) for path in paths], Counter(), min_characters=300))
    pages = [document.text for document in documents]
    texts = texts_by_language(arguments.names, arguments.benchmarks)
    index, _ = index_texts({name: (t for found in texts[name].values() for t in found) for name in texts})

    started = time.process_time()
    found = index.benchmarks_in(pages)
    seconds = time.process_time() - started
    megabytes = sum(len(page.encode()) for page in pages) / 1e6
    flagged = [at for at, names in enumerate(found) if names]
    clean = [page for page, names in zip(pages, found, strict=True) if not names]
    unlike = sum(not shares_text(pages[at], (t for n in found[at] for ts in texts[n].values() for t in ts))
                 for at in flagged)  # fmt: skip
    choose = random.Random(1)
    rows = {name: {language: recall(index, of_language, clean, choose) for language, of_language in by_set.items()}
            for name, by_set in texts.items()}  # fmt: skip
    every = [row for by_set in rows.values() for row in by_set.values()]
    result = {
        "processor": processor(),
        "texts": sum(row["texts"] for row in every),
        "looked_for": sum(row["looked_for"] for row in every),
        "windows": len(index),
        "index_bytes": index.memory_bytes,
        "pages": {
            "documents": len(pages), "megabytes": round(megabytes, 1),
            "megabytes_per_cpu_second": round(megabytes / seconds, 1),
            "flagged": len(flagged), "flagged_share": round(len(flagged) / len(pages), 5),
            "flagged_without_a_shared_text": unlike,
            "flagged_by_benchmark": dict(sorted(Counter(name for names in found for name in names).items())),
        },
        "recall": {change: recall_of([row[change] for row in every]) for change in CHANGES},
        "recall_by_benchmark_and_language": rows,
    }  # fmt: skip
    for at in flagged[: arguments.show]:
        print(documents[at].url, *found[at])
    print(json.dumps({name: value for name, value in result.items() if name != "recall_by_benchmark_and_language"},
                     indent=1))  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
