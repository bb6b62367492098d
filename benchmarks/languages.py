"""Precision and recall of language identification by code: lid.176 alone, and with our classifier beside it.

    python -m benchmarks.languages --json benchmarks/results/languages.json

Labels are a table with the columns dump, url, lang, kind, note; pages come from the WET files of a crawl in Common
Crawl's layout; the classifier is trained on reference text that is not in the crawl.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ccnet.extract import read_documents
from ccnet.identify import LanguageIdentifier
from ccnet.language_classifier import CombinedIdentifier, answers, held_out, needed_codes, samples, train_classifier
from ccnet.languages import LANGUAGES, script_free
from pipeline.stages.identify import IdentifyConfig
from pipeline.stages.train_lid import TrainLidConfig
from pipeline.tools import find_language_identifier

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
KINDS = ("prose", "real-page")
NO_SCORE = "lid.176"  # a label that the identifier itself gave cannot score it


def labelled_pages(crawl: Path, labels: Path) -> tuple[list[str], list[str]]:
    """Texts and their languages."""
    with gzip.open(labels, "rt", encoding="utf-8") as file:
        rows = {(row["dump"], row["url"]): row for row in csv.DictReader(file, delimiter="\t")}
    texts, truth = [], []
    for path in sorted(crawl.glob("crawl-data/*/segments/*/wet/*.warc.wet.gz")):
        dump = path.parents[3].name
        for document in read_documents([(path.name, path)], Counter(), min_characters=100):
            row = rows.get((dump, document.url))
            if row and row["kind"] in KINDS and row["lang"] and NO_SCORE not in row["note"]:
                texts.append(document.text)
                truth.append(row["lang"])
    return texts, truth


def scores(truth: Sequence[str], found: Sequence[str]) -> dict[str, dict[str, float]]:
    """code -> pages, precision, recall, f1."""
    right = Counter(a for a, b in zip(truth, found, strict=True) if a == b)
    said, real = Counter(found), Counter(truth)
    return {
        code: {
            "pages": real[code],
            "precision": round(right[code] / max(said[code], 1), 4),
            "recall": round(right[code] / real[code], 4),
            "f1": round(2 * right[code] / (said[code] + real[code]), 4),
        }
        for code in sorted(real)
    }


def kept(truth: Sequence[str], found: Sequence[tuple[str, float]]) -> dict[str, dict[str, int]]:
    """code -> pages, of which right and wrong answers reach the corpus's threshold."""
    least = IdentifyConfig.model_fields["language_threshold"].default
    rows = {code: {"pages": pages, "right": 0, "wrong": 0} for code, pages in sorted(Counter(truth).items())}
    for code, (label, score) in zip(truth, found, strict=True):
        if score >= least:
            rows[code]["right" if script_free(label) == script_free(code) else "wrong"] += 1
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crawl", type=Path, default=DATA / "crawl")
    parser.add_argument("--labels", type=Path, default=DATA / "labels.tsv.gz")
    parser.add_argument("--reference", type=Path, default=DATA / "reference", help="folder of LANG.txt.gz")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    if not arguments.labels.is_file():
        sys.exit(f"{arguments.labels}: no such file: name labels, crawl and reference text")
    texts, truth = labelled_pages(arguments.crawl, arguments.labels)
    alone = LanguageIdentifier(find_language_identifier())
    defaults = TrainLidConfig(languages=tuple(LANGUAGES))
    files = {path.name.split(".")[0]: gzip.open(path, "rt", encoding="utf-8")  # noqa: SIM115
             for path in arguments.reference.glob("*.txt.gz")}  # fmt: skip
    found = samples(files, defaults.max_characters)
    needed = needed_codes(held_out(found), alone, defaults.languages, defaults.least_recall)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "classifier.bin"
        train_classifier(found, model, epochs=defaults.epochs, seed=defaults.seed)
        threshold = IdentifyConfig.model_fields["classifier_threshold"].default
        both = CombinedIdentifier(find_language_identifier(), model, needed, threshold)
        sure = kept(truth, alone.identify(texts)), kept(truth, both.identify(texts))
        before, after = scores(truth, answers(alone, texts)), scores(truth, answers(both, texts))
    known = [code for code in sure[0] if code in LANGUAGES]
    totals = [{name: sum(rows[code][name] for code in known) for name in ("pages", "right", "wrong")} for rows in sure]
    lost = {code: [before[code]["f1"], after[code]["f1"]] for code in before if after[code]["f1"] < before[code]["f1"]}
    result = {"pages": len(texts), "codes_of_the_classifier": sorted(needed), "lost_f1": lost,
              "kept_by_threshold": {"lid_176": totals[0], "combined": totals[1]}, "kept_by_code": sure[1],
              "lid_176": before, "combined": after}  # fmt: skip
    for code in sorted(before):
        if code in needed or before[code] != after[code]:
            row = after[code]
            both_scores = f"P {row['precision']:.3f} R {row['recall']:.3f} F1 {row['f1']:.3f}"
            print(f"{code:8} {row['pages']:4} pages  lid.176 F1 {before[code]['f1']:.3f}   combined {both_scores}")
    print(f"lost by the combination: {lost or 'none'}")
    print(f"kept of the pages in CC-100's languages: lid.176 {totals[0]}, combined {totals[1]}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
