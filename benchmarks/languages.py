"""What language identification keeps of a labelled crawl: lid.176 alone, and with the classifier that refuses.

    python -m benchmarks.languages --json benchmarks/results/languages.json
    python -m benchmarks.languages --crawl CRAWL --labels labels.tsv.gz --reference REFERENCE --other DECLARATIONS

The crawl is in Common Crawl's layout (its WET files are read); labels are a table with the columns dump, url, lang,
kind, note; reference and other text are what `train_lid` learns from, and are not in the crawl.

What is counted: pages of at least 100 characters whose label is of kind prose or real-page, names a language, and was
not given by lid.176 itself.  "Inside" are those whose language is a code of CC-100 (ccnet/languages.tsv), "outside" all
others.  A page is kept where its name is a code of CC-100 and its score reaches the threshold: 0.5 after rounding
(CCNet's), with the classifier also the rules of ccnet/open_identifier.py.  "Rightly": under its own code (zh-Hans and
zh-Hant count as one); "wrongly": an inside page under another code; "taken in": an outside page under any code.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import gzip
import hashlib
import json
import platform
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.machine import cores, processor
from ccnet.extract import read_documents
from ccnet.identify import Answer, LanguageIdentifier, Verdict
from ccnet.language_classifier import CombinedIdentifier, samples
from ccnet.languages import LANGUAGES, script_free
from ccnet.open_identifier import CLASSIFIER, CodeRule, OpenIdentifier
from ccnet.open_training import OTHER_SAMPLES, train_open_classifier
from ccnet.other_text import read_other_text, read_text
from ccnet.scripts import code_by_script
from pipeline.stages.identify import IdentifyConfig
from pipeline.stages.train_lid import TrainLidConfig
from pipeline.tools import OTHER_TEXT, find_language_identifier

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
KINDS = ("prose", "real-page")
NO_SCORE = "lid.176"  # a label that the identifier itself gave cannot score it
THRESHOLD = IdentifyConfig.model_fields["language_threshold"].default
# Languages that are hardly told apart, and the country domains that speak for one of them.
CLOSE = {
    "Bosnian, Croatian, Serbian": {"bs": "ba", "hr": "hr", "sr": "rs"},
    "Malay, Indonesian": {"ms": "my", "id": "id"},
    "Norwegian, Danish": {"no": "no", "da": "dk"},
}


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    text: str
    language: str

    @property
    def half(self) -> int:
        """0 or 1, by the URL: the labels of one half say whether what the other half showed holds."""
        return hashlib.blake2b(self.url.encode(), digest_size=1).digest()[0] % 2


def labelled_pages(crawl: Path, labels: Path) -> list[Page]:
    with gzip.open(labels, "rt", encoding="utf-8") as file:
        rows = {(row["dump"], row["url"]): row for row in csv.DictReader(file, delimiter="\t")}
    pages = []
    for path in sorted(crawl.glob("crawl-data/*/segments/*/wet/*.warc.wet.gz")):
        dump = path.parents[3].name
        for document in read_documents([(path.name, path)], Counter(), min_characters=100):
            row = rows.get((dump, document.url))
            if row and row["kind"] in KINDS and row["lang"] and NO_SCORE not in row["note"]:
                pages.append(Page(document.url, document.text, row["lang"]))
    return pages


def names(pages: Sequence[Page], answers: Iterable[Answer], threshold: float = THRESHOLD) -> list[str]:
    """The code under which each page is kept, "" where it is not."""
    found = []
    for page, (label, score, verdict) in zip(pages, answers, strict=True):
        code = code_by_script(label, page.text, LANGUAGES)
        kept = score >= threshold and code in LANGUAGES and verdict is not Verdict.UNSURE
        found.append(code if kept else "")
    return found


def kept(pages: Sequence[Page], found: Sequence[str]) -> dict[str, int]:
    counts = Counter({"inside": 0, "rightly": 0, "wrongly": 0, "outside": 0, "taken_in": 0})
    for page, code in zip(pages, found, strict=True):
        inside = page.language in LANGUAGES
        counts["inside" if inside else "outside"] += 1
        if code and inside:
            counts["rightly" if script_free(code) == script_free(page.language) else "wrongly"] += 1
        elif code:
            counts["taken_in"] += 1
    return dict(counts)


def mistakes(pages: Sequence[Page], found: Sequence[str]) -> dict[str, int]:
    pairs = Counter(
        f"{page.language} as {code}"
        for page, code in zip(pages, found, strict=True)
        if code and script_free(code) != script_free(page.language)
    )
    return dict(pairs.most_common())


def f1_by_code(pages: Sequence[Page], found: Sequence[str]) -> dict[str, dict[str, float]]:
    """code -> pages, precision, recall, f1, over inside and outside pages."""
    right = Counter(page.language for page, code in zip(pages, found, strict=True) if code == page.language)
    said, real = Counter(found), Counter(page.language for page in pages if page.language in LANGUAGES)
    return {
        code: {
            "pages": real[code],
            "precision": round(right[code] / max(said[code], 1), 4),
            "recall": round(right[code] / real[code], 4),
            "f1": round(2 * right[code] / (said[code] + real[code]), 4),
        }
        for code in sorted(real)
    }


def close_languages(pages: Sequence[Page], alone: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    """Of each group: its pages, how many are kept rightly, and what the page's script and country domain could add.

    `script_tells`: pages in another script than the group's others (Serbian in Cyrillic).  `under_a_country_domain`:
    pages whose host ends with the domain of one of the group's countries; `by_domain`: kept rightly if that domain
    decided between the group's languages.
    """
    result = {}
    for name, domains in CLOSE.items():
        country = {domain: code for code, domain in domains.items()}
        rows = [(p, a, f) for p, a, f in zip(pages, alone, found, strict=True) if p.language in domains]
        told = [country.get((urlsplit(page.url).hostname or "").rpartition(".")[2], "") for page, _, _ in rows]
        by_domain = [(code if code and f in domains else f) for code, (_, _, f) in zip(told, rows, strict=True)]
        languages = [page.language for page, _, _ in rows]
        result[name] = {
            "pages": dict(sorted(Counter(languages).items())),
            "lid_176_rightly": dict(sorted(Counter(p.language for p, a, _ in rows if p.language == a).items())),
            "rightly": dict(sorted(Counter(p.language for p, _, f in rows if p.language == f).items())),
            "script_tells": sum(any("\u0400" <= c <= "\u04ff" for c in page.text[:1000]) for page, _, _ in rows),
            "under_a_country_domain": sum(map(bool, told)),
            "by_domain": sum(code == language for code, language in zip(by_domain, languages, strict=True)),
        }
    return result


def microseconds(identify: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> float:
    """A text, of the fastest of three passes; models know the words by then, as in a long run."""
    times = []
    for _ in range(3):
        start = time.process_time()
        for at in range(0, len(texts), 1000):
            identify(texts[at : at + 1000])
        times.append(time.process_time() - start)
    return round(1e6 * min(times) / max(len(texts), 1), 1)


def measure(pages: Sequence[Page], reference: Path, other: Path, second: Path | None) -> dict[str, Any]:
    model = find_language_identifier()
    alone = LanguageIdentifier(model)
    settings = TrainLidConfig(languages=tuple(LANGUAGES))
    files = {path.name.split(".")[0]: read_text(path) for path in sorted(reference.glob("*.txt*"))}
    found = samples(files, settings.classifier_characters)
    text = read_other_text(other) if other.exists() else {}
    others = samples(text, settings.classifier_characters, OTHER_SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        rules = train_open_classifier(
            found, others, alone, settings.languages, Path(folder), precision=settings.classifier_precision,
            least_recall=settings.least_recall, epochs=settings.classifier_epochs, seed=settings.classifier_seed,
        )  # fmt: skip
        seconds = time.process_time() - start
        both = OpenIdentifier(model, Path(folder), second=LanguageIdentifier(second) if second else None)
        earlier = CombinedIdentifier(model, Path(folder) / CLASSIFIER, needed(rules), 0.8)
        texts = [page.text for page in pages]
        before, after = alone.identify_all(texts), both.identify_all(texts)
        speed = {
            "lid_176": microseconds(alone.identify_all, texts),
            "lid_176_and_a_classifier": microseconds(earlier.identify_all, texts),
            "open": microseconds(both.identify_all, texts),
        }
    result = compare(pages, before, after)
    return {
        **result,
        "languages_with_reference_text": len(found),
        "other_languages": len(set(others) - set(found)),
        "codes_of_the_classifier_alone": needed(rules),
        "codes_never_believed": sorted(code for code, rule in rules.items() if rule.threshold > 1),
        "unsure": sum(verdict is Verdict.UNSURE for _, _, verdict in after),
        "agreed": sum(verdict is Verdict.AGREED for _, _, verdict in after),
        "training_cpu_s": round(seconds, 1),
        "cpu_us_a_page": speed,
        "rules": {code: {"threshold": rule.threshold, "precision": rule.precision, "recall": rule.recall}
                  for code, rule in sorted(rules.items())},
    }  # fmt: skip


def needed(rules: dict[str, CodeRule]) -> list[str]:
    return sorted(code for code, rule in rules.items() if rule.alone)


def compare(pages: Sequence[Page], before: Sequence[Answer], after: Sequence[Answer]) -> dict[str, Any]:
    one, two = names(pages, before), names(pages, after)
    halves = []
    for half in (0, 1):
        chosen = [at for at, page in enumerate(pages) if page.half == half]
        some = [pages[at] for at in chosen]
        halves.append(
            {"lid_176": kept(some, [one[at] for at in chosen]), "open": kept(some, [two[at] for at in chosen])}
        )
    scores = f1_by_code(pages, one), f1_by_code(pages, two)
    labels = f1_by_code(pages, names(pages, before, 0.0)), f1_by_code(pages, names(pages, after, 0.0))
    return {
        "pages": len(pages),
        "kept": {"lid_176": kept(pages, one), "open": kept(pages, two)},
        "halves": halves,
        "mistakes": {"lid_176": mistakes(pages, one), "open": mistakes(pages, two)},
        "f1_below_lid_176": lower(*scores),
        "f1_below_lid_176_without_threshold": lower(*labels),
        "close_languages": close_languages(pages, one, two),
        "f1": {code: {"lid_176": scores[0][code], "open": scores[1][code]} for code in scores[0]},
    }


def lower(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> dict[str, list[float]]:
    return {code: [row["f1"], after[code]["f1"]] for code, row in before.items() if after[code]["f1"] < row["f1"]}


def show(result: dict[str, Any]) -> None:
    print("code     pages  lid.176 F1  with the classifier: precision recall   F1")
    for code, row in result["f1"].items():
        one, two = row["lid_176"], row["open"]
        if one != two:
            print(f"{code:8} {two['pages']:5}  {one['f1']:10.3f}  {two['precision']:30.3f} {two['recall']:6.3f} "
                  f"{two['f1']:.3f}")  # fmt: skip
    print("(other codes: the same for both)\n")
    rows = [("all pages", result["kept"]), *((f"half {at}", row) for at, row in enumerate(result["halves"], 1))]
    for name, row in rows:
        for which, counts in row.items():
            print(
                f"{name}, {which}: of {counts['inside']} inside {counts['rightly']} kept rightly and "
                f"{counts['wrongly']} wrongly, of {counts['outside']} outside {counts['taken_in']} taken in"
            )
    print(f"wrong names: {result['mistakes']['open']}")
    print(f"unsure: {result['unsure']} pages, agreed: {result['agreed']}")
    print(f"codes below lid.176's F1 (before, after): {result['f1_below_lid_176'] or 'none'}; labels alone, without "
          f"threshold: {result['f1_below_lid_176_without_threshold'] or 'none'}")  # fmt: skip
    for name, row in result["close_languages"].items():
        print(f"{name}: pages {row['pages']}, kept rightly {row['rightly']} (lid.176 {row['lid_176_rightly']}); in "
              f"Cyrillic {row['script_tells']}; under a country's domain {row['under_a_country_domain']}, with which "
              f"{row['by_domain']} would be kept rightly")  # fmt: skip
    print(f"µs of CPU a page: {result['cpu_us_a_page']}; training {result['training_cpu_s']} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crawl", type=Path, default=DATA / "crawl")
    parser.add_argument("--labels", type=Path, default=DATA / "labels.tsv.gz")
    parser.add_argument("--reference", type=Path, default=DATA / "reference", help="folder of LANG.txt.gz")
    parser.add_argument("--other", type=Path, help=f"folder of text in other languages [{OTHER_TEXT.name}]")
    parser.add_argument("--second", type=Path, default=None, help="a second fastText model, e.g. of GlotLID")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    wanted = {"a crawl": arguments.crawl, "labels": arguments.labels, "reference text": arguments.reference,
              "text in other languages": arguments.other, "a fastText model": arguments.second}  # fmt: skip
    for what, path in wanted.items():
        if path and not path.exists():
            print(f"{path}: not there: wanted {what}; see --help", file=sys.stderr)
            sys.exit(2)
    other = arguments.other or OTHER_TEXT
    if not other.exists():
        print(f"no {other} (`make install` takes it where npm is): languages are refused by words alone",
              file=sys.stderr)  # fmt: skip
    pages = labelled_pages(arguments.crawl, arguments.labels)
    if not pages:
        print(f"{arguments.labels}: no page of {arguments.crawl} has a label that counts; see --help", file=sys.stderr)
        sys.exit(2)
    result = measure(pages, arguments.reference, other, arguments.second)
    show(result)
    if arguments.json:
        about = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "hardware": f"{processor()}, one of {cores()} cores, others at work; Python {platform.python_version()}",
            "command": "python -m benchmarks.languages " + shlex.join(sys.argv[1:]),
        }
        arguments.json.write_text(json.dumps(about | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
