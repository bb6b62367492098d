"""A store with the statistics of dumps and releases as `summarize` and `publish` leave them, made by arithmetic.

The amounts follow the paper's Table 6; the text of the samples is generated.  Nothing of it was crawled.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ccnet.languages import LANGUAGES
from pipeline.manifest import Artifact, Manifest, fingerprint, manifest_key
from pipeline.statistics import STATISTICS, Kind, overview_counts, totals
from pipeline.store import ArtifactStore

SHARES = {"head": 0.3, "middle": 0.3, "tail": 0.4}
DOMAINS = 100
SAMPLES = 5
SAMPLE_CHARACTERS = 1000
BYTES_OF_A_DOCUMENT = 4000
SLICES = 1000
FIRST_DAY = datetime(2018, 1, 20, tzinfo=UTC)
TEXT = "habari maji mto nyumba kitabu watu mji siku ukweli хлеб дорога река كتاب مدينة நதி 河流 książka город"
WORDS = TEXT.split()


def make_store(
    store: ArtifactStore, crawls: Sequence[str], languages: Sequence[str] = (), *, release: str = "cc100"
) -> None:
    """A manifest with statistics for each dump, and one release of all of them."""
    codes = languages or tuple(LANGUAGES)
    of_dumps = {}
    for number, crawl in enumerate(crawls):
        found = dump_statistics(crawl, codes, seed=number)
        of_dumps[crawl] = found
        write(store, Kind.DUMP, crawl, found, FIRST_DAY + timedelta(days=30 * number))
        if number:
            of_dumps.pop(crawls[number - 1])
    last = crawls[-1]
    found = {"languages": of_dumps[last]["languages"], "dumps": {last: {"steps": of_dumps[last]["steps"]}}}
    if release:
        write(store, Kind.RELEASE, release, found, FIRST_DAY + timedelta(days=30 * len(crawls)))


def write(store: ArtifactStore, kind: Kind, name: str, statistics: dict[str, Any], at: datetime) -> str:
    """The key of the manifest."""
    inputs = tuple(f"filter_perplexity/{name}/{n:05d}-of-{SLICES:05d}/{n:016x}/manifest.json" for n in range(SLICES))
    data = json.dumps(statistics, sort_keys=True, ensure_ascii=False).encode()
    digest = hashlib.sha256(data).hexdigest()
    mark = fingerprint(kind.stage, 1, name, {"digest": digest}, inputs)
    key = manifest_key(kind.stage, name, mark)
    artifact_key = key.replace("manifest.json", STATISTICS)
    store.put(artifact_key, data)
    manifest = Manifest(
        stage=kind.stage, version=1, unit=name, fingerprint=mark, config={}, inputs=inputs,
        artifacts=(Artifact(name=STATISTICS, key=artifact_key, size_bytes=len(data), sha256=digest),),
        counts=overview_counts(statistics["languages"]), seconds=1.0, attempt="recorded",
        written_at=at.isoformat(timespec="seconds"), code_version="recorded", library_versions={},
    )  # fmt: skip
    store.put(key, manifest.to_json())
    return key


def dump_statistics(crawl: str, codes: Sequence[str], seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    languages = {code: language_statistics(crawl, code, chance) for code in codes}
    kept = sum(totals(row)["documents"] for row in languages.values())
    identified, deduplicated, fetched = kept * 10 // 9, kept * 12 // 9, kept * 2
    steps = {
        "extract": _step(fetched, {"too_short": fetched - deduplicated - kept // 9, "broken_record": kept // 9}),
        "deduplicate": _step(deduplicated, {"only_duplicate_paragraphs": deduplicated - identified}),
        "identify": _step(identified, {"low_score": identified - kept}),
        "filter_perplexity": _step(kept, {}),
    }
    return {"crawl": crawl, "steps": steps, "languages": languages}


def language_statistics(crawl: str, code: str, chance: random.Random) -> dict[str, Any]:
    documents = max(int((LANGUAGES[code].paper_gib or 0.01) * 2**30 / 12 / BYTES_OF_A_DOCUMENT), 20)
    documents = int(documents * chance.uniform(0.8, 1.2))
    buckets = {name: amounts_of(int(documents * share)) for name, share in SHARES.items()}
    counted = sum(row["documents"] for row in buckets.values())
    return {
        "buckets": buckets,
        "crawls": {crawl: buckets},
        "perplexity": _bell([64, 128, 256, 512, 1024, 2048, 4096, 8192], counted, chance),
        "length": _bell([256, 512, 1024, 2048, 4096, 8192, 16384, 32768], counted, chance),
        "language_score": _bell([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], counted, chance),
        "domains": {f"www.site-{n}.example": counted // (n + 20) for n in range(DOMAINS)},
        "samples": {name: [_sample(crawl, code, name, n, chance) for n in range(SAMPLES)] for name in SHARES},
        "steps": {"identify": {"kept": counted}},
    }


def amounts_of(documents: int) -> dict[str, int]:
    return {
        "documents": documents, "paragraphs": documents * 12, "characters": documents * 3100,
        "bytes": documents * BYTES_OF_A_DOCUMENT,
    }  # fmt: skip


def _step(documents: int, dropped: dict[str, int]) -> dict[str, Any]:
    return {"documents_in": documents, "documents_kept": documents - sum(dropped.values()), "dropped": dropped}


def _bell(bins: Sequence[float], documents: int, chance: random.Random) -> dict[str, int]:
    weights = [chance.uniform(0.8, 1.2) * 2.0 ** -abs(place - len(bins) / 2) for place in range(len(bins))]
    return {str(bin_): int(documents * w / sum(weights)) for bin_, w in zip(bins, weights, strict=True)}


def _sample(crawl: str, code: str, bucket: str, number: int, chance: random.Random) -> dict[str, Any]:
    text = " ".join(chance.choices(WORDS, k=SAMPLE_CHARACTERS // 6))
    return {
        "url": f"https://www.site-{number}.example/{code}/{bucket}/{chance.randrange(10**6)}",
        "crawl": crawl, "perplexity": round(chance.uniform(50, 5000), 1), "language_score": chance.uniform(0.5, 1),
        "length": len(text) * 3, "text": text[:SAMPLE_CHARACTERS],
    }  # fmt: skip
