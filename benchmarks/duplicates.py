"""What dedup finds on labelled pages: exact duplicates by paragraph, near-duplicates by MinHash.

    python -m benchmarks.duplicates --threshold 0.5 0.7 0.8

A page is counted as a true duplicate where the labels pair it with another page of its dump; pages without a label
are not scored.  Where only one page of a pair has a label a right find looks wrong, so the number of finds whose
texts are similar in truth, all shingles counted, stands beside it.  Labels: dump, url, lang, kind, duplicate_of; the
crawl lies in Common Crawl's layout.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.languages import DATA
from ccnet.deduplicate import deduplicate_shard
from ccnet.document import Document
from ccnet.duplicates import find_duplicates, load_hashes
from ccnet.extract import read_documents
from ccnet.hashing import hash_shard
from ccnet.identify import LanguageIdentifier
from ccnet.near_duplicates import NearDuplicates, shingles
from ccnet.shards import write_documents
from pipeline.tools import find_language_identifier

ESTIMATE_ERROR = 0.1  # two standard deviations of a similarity estimated by 128 permutations
Labels = dict[str, dict[str, str]]  # url -> row


def exact(documents: list[Document], labels: Labels, *, keep_first: bool) -> dict[str, Any]:
    """Of the labelled exact duplicates: on how many of their pairs at least one side has lost all its text, and how
    many paragraphs went."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_documents(documents, folder / "in.parquet")
        hash_shard(folder / "in.parquet", [folder / "hashes.npy"])
        find_duplicates([folder / "hashes.npy"], [folder / "losses"], keep_first=keep_first)
        own = np.load(folder / "hashes.npy")
        once = own["hash"][own["repeated"] == 1] if keep_first else None
        losses = load_hashes(folder / "losses")
        counts = deduplicate_shard(folder / "in.parquet", losses, folder / "out.parquet", once=once)
        left = Counter(pq.read_table(folder / "out.parquet", columns=["url"]).column("url").to_pylist())
    there = {document.url for document in documents}
    pairs = [(url, row["duplicate_of"]) for url, row in labels.items()
             if row["kind"] == "duplicate" and {url, row["duplicate_of"]} <= there]  # fmt: skip
    gone = sum(not (left[one] and left[other]) for one, other in pairs)
    return {"pairs": len(pairs), "pairs_with_a_side_gone": gone, "documents_in": counts["documents_in"],
            "documents_kept": counts["documents_kept"], "paragraphs_in": counts["paragraphs_in"],
            "paragraphs_kept": counts["paragraphs_kept"]}  # fmt: skip


def near(documents: list[Document], languages: list[str], labels: Labels, threshold: float) -> dict[str, Any]:
    """Flagged pages against the labelled pairs of duplicates and near-duplicates."""
    paired = {url for url, row in labels.items() if row["duplicate_of"]}
    paired |= {row["duplicate_of"] for row in labels.values() if row["duplicate_of"]}
    known = NearDuplicates(threshold)
    through: list[Document] = []
    flagged: set[str] = set()
    similar = 0
    for document, language in zip(documents, languages, strict=True):
        number = known.earlier(document.text, language)
        if number is None:
            through.append(document)
            continue
        flagged.add(document.url)
        one, other = (set(shingles(text, language)) for text in (document.text, through[number].text))
        similar += len(one & other) / len(one | other) >= threshold - ESTIMATE_ERROR
    scored = flagged & (set(labels) | paired)
    there = {document.url for document in documents}
    found = {}
    for kind in ("duplicate", "near-duplicate"):
        pairs = [(url, row["duplicate_of"]) for url, row in labels.items()
                 if row["kind"] == kind and {url, row["duplicate_of"]} <= there]  # fmt: skip
        hit = sum(bool({one, other} & flagged) for one, other in pairs)
        found[kind] = {"pairs": len(pairs), "recall": round(hit / max(len(pairs), 1), 4)}
    wrong = Counter(labels[url]["kind"] for url in scored - paired)
    precision = len(scored & paired) / max(len(scored), 1)
    return {"threshold": threshold, "flagged": len(flagged), "flagged_with_a_similar_text": similar,
            "scored_by_labels": len(scored), "precision_by_labels": round(precision, 4),
            "flagged_of_other_kinds": dict(wrong), **found}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crawl", type=Path, default=DATA / "crawl")
    parser.add_argument("--labels", type=Path, default=DATA / "labels.tsv.gz")
    parser.add_argument("--dump", default="CC-MAIN-2019-35")
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.5, 0.7, 0.8])
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    if not arguments.labels.is_file():
        sys.exit(f"{arguments.labels}: no such file: name labels and crawl")
    with gzip.open(arguments.labels, "rt", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        labels = {row["url"]: row for row in rows if row["dump"] == arguments.dump}
    paths = sorted(arguments.crawl.glob(f"crawl-data/{arguments.dump}/segments/*/wet/*.warc.wet.gz"))
    documents = list(read_documents([(path.name, path) for path in paths], Counter(), min_characters=300))
    identifier = LanguageIdentifier(find_language_identifier())
    languages = [label for label, _ in identifier.identify([document.text for document in documents])]
    result = {
        "dump": arguments.dump,
        "documents": len(documents),
        "ccnet": exact(documents, labels, keep_first=False),
        "keep_first": exact(documents, labels, keep_first=True),
        "minhash": [near(documents, languages, labels, threshold) for threshold in arguments.threshold],
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
