"""A random sample of each language's documents that shards take alone and that merges into one of all of them.

A document's rank is a hash of its text, and the lowest ranks are the sample, so the sample of a dump is found in the
samples of its shards, whatever their order and number.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from ccnet.shards import open_writer, read_batches

SAMPLE = pa.schema([("language", pa.string()), ("rank", pa.uint64()), ("text", pa.string())])


class LanguageSample:
    """At most `most` documents of each language, those of the lowest ranks."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heaps: dict[str, list[tuple[int, str]]] = {}  # ranks negated: the highest rank is the first to go

    def add(self, languages: Iterable[str], texts: Iterable[str]) -> None:
        for language, text in zip(languages, texts, strict=True):
            rank = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            self._add(language, int.from_bytes(rank, "little"), text)

    def merge(self, path: Path) -> None:
        """Take in what another sample wrote."""
        for batch in read_batches(path):
            for row in batch.to_pylist():
                self._add(row["language"], row["rank"], row["text"])

    def _add(self, language: str, rank: int, text: str) -> None:
        heap = self._heaps.setdefault(language, [])
        if len(heap) < self._most:
            heapq.heappush(heap, (-rank, text))
        elif heap and -rank > heap[0][0]:
            heapq.heapreplace(heap, (-rank, text))

    def texts(self) -> dict[str, list[str]]:
        """Each language's sample, in the order of the ranks."""
        return {language: [text for _, text in sorted(heap, reverse=True)] for language, heap in self._items()}

    def write(self, path: Path) -> None:
        with open_writer(path, SAMPLE) as writer:
            for language, heap in self._items():
                rows = [
                    {"language": language, "rank": -rank, "text": text} for rank, text in sorted(heap, reverse=True)
                ]
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=SAMPLE))

    def _items(self) -> list[tuple[str, list[tuple[int, str]]]]:
        return sorted((language, heap) for language, heap in self._heaps.items() if heap)


def merge_samples(paths: Sequence[Path], most: int) -> dict[str, list[str]]:
    """The sample of all that the written samples were taken from, by language."""
    merged = LanguageSample(most)
    for path in paths:
        merged.merge(path)
    return merged.texts()
