"""Perplexity of documents under their language's model, and CCNet's buckets (CCNet section 4.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import kenlm
import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from sentencepiece import sentencepiece_model_pb2

from ccnet.crawl import crawl_of
from ccnet.document import Bucket, CorpusError
from ccnet.kenlm_file import MAGIC as KENLM_MAGIC
from ccnet.kenlm_file import words_fault
from ccnet.normalize import normalize_for_language_model
from ccnet.paragraphs import join_paragraphs
from ccnet.pieces import PieceEncoder
from ccnet.sample import merge_samples
from ccnet.shards import SCORED, open_writer, read_batches

ARPA_MAGIC = b"\\data\\"
CHUNK_DOCUMENTS = 128  # normalised at a time: more leave the processor's cache
ModelFiles = Mapping[str, tuple[Path, Path]]  # language -> sp.model, arpa.bin


@dataclass(frozen=True, slots=True)
class CutOffs:
    """Below `head` a document is head, below `tail` middle, else tail."""

    head: float
    tail: float


class LanguageModel:
    """SentencePiece and KenLM of one language."""

    def __init__(self, pieces: Path, ngrams: Path) -> None:
        """Raises CorpusError where a file is no model."""
        try:
            self._pieces = PieceEncoder(pieces)
        except (RuntimeError, OSError) as error:
            raise CorpusError(f"{pieces}: {error}: wanted a whole SentencePiece model") from error
        self._ngrams = _ngrams(ngrams)

    def perplexities(self, texts: Sequence[str]) -> list[float | None]:
        """10 ** (-log10 p / tokens) of each document as one line, </s> counted, to one decimal (CCNet's DocLM).

        None where normalisation leaves no piece of a document (accents alone, say), as in CCNet.
        """
        found: list[float | None] = []
        for start in range(0, len(texts), CHUNK_DOCUMENTS):
            lines = self._pieces.lines(normalize_for_language_model(texts[start : start + CHUNK_DOCUMENTS]))
            found += [self._perplexity(line, pieces) if pieces else None for line, pieces in lines]
        return found

    def _perplexity(self, line: bytes, pieces: int) -> float:
        return float(round(10.0 ** (-self._ngrams.score(line) / (pieces + 1)), 1))


def check_model(pieces: Path, ngrams: Path) -> None:
    """Raise CorpusError where a file is no model or was cut, without reading the n-grams."""
    try:
        sentencepiece_model_pb2.ModelProto().ParseFromString(pieces.read_bytes())  # type: ignore[attr-defined]
    except DecodeError as error:
        raise CorpusError(f"{pieces}: {error}: wanted a whole SentencePiece model") from error
    _ngrams(ngrams, kenlm.LoadMethod.LAZY)


def _ngrams(path: Path, method: int = kenlm.LoadMethod.POPULATE_OR_READ) -> kenlm.Model:
    """KenLM prints a bar where a file is none of its own, and takes it for an ARPA file."""
    with path.open("rb") as file:
        head = file.read(len(KENLM_MAGIC)).lstrip()
    if not head.startswith((KENLM_MAGIC, ARPA_MAGIC)):
        raise CorpusError(f"{path}: it is no KenLM model: wanted what build_binary writes")
    config = kenlm.Config()
    config.load_method = method
    try:
        model = kenlm.Model(str(path), config)
    except (OSError, RuntimeError) as error:
        said = re.split(r"threw \w+(?: because `[^']*')?\. ", str(error))[-1].rstrip(")")
        raise CorpusError(f"{path}: {said}: wanted a whole KenLM model") from error
    if head.startswith(KENLM_MAGIC) and (fault := words_fault(path)):
        raise CorpusError(f"{path}: {fault}: wanted a whole KenLM model")
    return model


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
    documents: Path,
    models: ModelFiles,
    limits: Mapping[str, CutOffs],
    output: Path,
    *,
    paragraphs: bool = False,
    on_batch: Callable[[pa.RecordBatch], None] = lambda batch: None,
) -> Counter[str]:
    """Write all documents with perplexity (null without a model) and bucket; counts `bucket_NAME`.

    `paragraphs`: rows are paragraphs, scored of their own and written as documents of one language and bucket each.
    `on_batch` sees every batch that is written.
    """
    loaded = LanguageModels(models)
    counts: Counter[str] = Counter()
    with open_writer(output, SCORED) as writer:
        scored = (score_batch(batch, loaded, limits, counts) for batch in read_batches(documents))
        for batch in join_paragraphs(scored) if paragraphs else scored:
            writer.write_batch(batch)
            on_batch(batch)
            counts["documents_written"] += batch.num_rows
    return counts


def score_batch(
    batch: pa.RecordBatch, models: LanguageModels, limits: Mapping[str, CutOffs], counts: Counter[str]
) -> pa.RecordBatch:
    """The batch with perplexity, bucket and dump."""
    scores = models.score(batch)
    languages = batch.column("language").to_pylist()
    buckets = [bucket(score, limits.get(language)) for score, language in zip(scores, languages, strict=True)]
    counts.update(f"bucket_{found}" for found in buckets)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += batch.num_rows
    crawls = [crawl_of(segment) for segment in batch.column("cc_segment").to_pylist()]
    added = [
        pa.array(scores, pa.float64()),
        pa.array([str(b) for b in buckets], pa.string()),
        pa.array(crawls, pa.string()),
    ]
    return pa.RecordBatch.from_arrays([*batch.columns, *added], schema=SCORED)


def sample_perplexities(samples: Sequence[Path], models: ModelFiles, *, max_documents: int) -> dict[str, list[float]]:
    """Perplexities of at most `max_documents` of the sampled documents of each language that has a model.

    One model is in memory at a time: all of CCNet's together take about 100 GB.
    """
    found = {code: texts for code, texts in merge_samples(samples, max_documents).items() if code in models}
    scores = {code: LanguageModel(*models[code]).perplexities(texts) for code, texts in found.items()}
    return {code: [score for score in scored if score is not None] for code, scored in scores.items()}


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
