"""Perplexity of documents under their language's model, and CCNet's buckets (CCNet section 4.2)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import kenlm
import numpy as np
import pyarrow as pa
import sentencepiece

from ccnet.document import Bucket
from ccnet.hashing import CHUNK_DOCUMENTS
from ccnet.normalize import normalize_for_language_model
from ccnet.paragraphs import join_paragraphs
from ccnet.shards import SCORED, open_writer, read_batches

ModelFiles = Mapping[str, tuple[Path, Path]]  # language -> sp.model, arpa.bin


@dataclass(frozen=True, slots=True)
class CutOffs:
    """Below `head` a document is head, below `tail` middle, else tail."""

    head: float
    tail: float


class LanguageModel:
    """SentencePiece and KenLM of one language."""

    def __init__(self, pieces: Path, ngrams: Path) -> None:
        self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
        self._ngrams = kenlm.Model(str(ngrams))

    def perplexities(self, texts: Sequence[str]) -> list[float]:
        """10 ** (-log10 p / tokens) of each document as one line, </s> counted, to one decimal (CCNet's DocLM)."""
        found = []
        for start in range(0, len(texts), CHUNK_DOCUMENTS):
            lines = normalize_for_language_model(texts[start : start + CHUNK_DOCUMENTS])
            encoded = self._pieces.encode(lines, out_type=str, num_threads=1)
            found += [self._perplexity(" ".join(pieces)) for pieces in encoded]
        return found

    def _perplexity(self, line: str) -> float:
        tokens = len(line.split()) + 1
        return float(round(10.0 ** (-self._ngrams.score(line) / tokens), 1))


def cut_offs(perplexities: Sequence[float], head: int = 30, tail: int = 60) -> CutOffs:
    """The percentiles of a sample (CCNet's code uses 30 and 60)."""
    low, high = np.percentile(np.asarray(perplexities), [head, tail])
    return CutOffs(round(float(low), 1), round(float(high), 1))


def bucket(perplexity: float | None, limits: CutOffs | None) -> Bucket:
    """`all` where there is no model or no cut-offs."""
    if perplexity is None or limits is None:
        return Bucket.ALL
    if perplexity < limits.head:
        return Bucket.HEAD
    return Bucket.MIDDLE if perplexity < limits.tail else Bucket.TAIL


def score_shard(
    documents: Path, models: ModelFiles, limits: Mapping[str, CutOffs], output: Path, *, paragraphs: bool = False
) -> Counter[str]:
    """Write all documents with perplexity (null without a model) and bucket; counts `bucket_NAME`.

    `paragraphs`: rows are paragraphs, scored of their own and written as documents of one language and bucket each.
    """
    loaded = LanguageModels(models)
    counts: Counter[str] = Counter()
    with open_writer(output, SCORED) as writer:
        scored = (score_batch(batch, loaded, limits, counts) for batch in read_batches(documents))
        for batch in join_paragraphs(scored) if paragraphs else scored:
            writer.write_batch(batch)
            counts["documents_written"] += batch.num_rows
    return counts


def score_batch(
    batch: pa.RecordBatch, models: LanguageModels, limits: Mapping[str, CutOffs], counts: Counter[str]
) -> pa.RecordBatch:
    """The batch with perplexity and bucket."""
    scores = models.score(batch)
    languages = batch.column("language").to_pylist()
    buckets = [bucket(score, limits.get(language)) for score, language in zip(scores, languages, strict=True)]
    counts.update(f"bucket_{found}" for found in buckets)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += batch.num_rows
    added = [pa.array(scores, pa.float64()), pa.array([str(found) for found in buckets], pa.string())]
    return pa.RecordBatch.from_arrays([*batch.columns, *added], schema=SCORED)


def sample_perplexities(
    shards: Sequence[Path], models: ModelFiles, *, max_documents: int, seed: int
) -> dict[str, list[float]]:
    """Perplexities of at most `max_documents` random documents of each language that has a model."""
    loaded = LanguageModels(models)
    sampled: dict[str, list[float]] = {}
    for language, texts in _sample(shards, set(models), max_documents, seed).items():
        sampled[language] = loaded.of(language).perplexities(texts)
    return sampled


def _sample(shards: Sequence[Path], languages: set[str], most: int, seed: int) -> dict[str, list[str]]:
    """Reservoir sampling, one pass, a bounded number of texts a language."""
    chance = random.Random(seed)
    chosen: dict[str, list[str]] = {}
    met: Counter[str] = Counter()
    for shard in shards:
        for batch in read_batches(shard, ["text", "language"]):
            for text, language in zip(
                batch.column("text").to_pylist(), batch.column("language").to_pylist(), strict=False
            ):
                if language not in languages:
                    continue
                met[language] += 1
                kept = chosen.setdefault(language, [])
                if len(kept) < most:
                    kept.append(text)
                elif (place := chance.randrange(met[language])) < most:
                    kept[place] = text
    return {language: chosen[language] for language in sorted(chosen)}


class LanguageModels:
    """Language models, loaded when their language is met."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._loaded: dict[str, LanguageModel] = {}

    def of(self, language: str) -> LanguageModel:
        if language not in self._loaded:
            self._loaded[language] = LanguageModel(*self._files[language])
        return self._loaded[language]

    def score(self, batch: pa.RecordBatch) -> list[float | None]:
        """Perplexity of each document, language by language."""
        languages = batch.column("language").to_pylist()
        scores: list[float | None] = [None] * len(languages)
        for language in sorted(set(languages) & set(self._files)):
            rows = [row for row, found in enumerate(languages) if found == language]
            texts = batch.column("text").take(pa.array(rows, pa.int64())).to_pylist()
            for row, score in zip(rows, self.of(language).perplexities(texts), strict=True):
                scores[row] = score
        return scores
