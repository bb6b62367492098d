"""Language of a document by fastText (CCNet section 3.3): the whole text with newlines deleted, best label only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa

from ccnet.document import CorpusError
from ccnet.fasttext_model import CutModel, FastTextModel, UnknownModel
from ccnet.languages import iso_labels
from ccnet.paragraphs import split_paragraphs
from ccnet.release import PartWriters
from ccnet.sample import LanguageSample
from ccnet.scripts import code_by_script
from ccnet.shards import IDENTIFIED, read_batches

LABEL_PREFIX = "__label__"
ISO_LABEL = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
CLOSE = 1e-5  # of a score to a rounding boundary or to the next score; the two computations differ by 4e-7 at most


class Verdict(StrEnum):
    """What several identifiers make of a text."""

    ALONE = "alone"  # one names the language, or there is one only
    AGREED = "agreed"
    UNSURE = "unsure"  # the label is the first one's, and is not to be trusted


Answer = tuple[str, float, Verdict]


class LanguageIdentifier:
    """A fastText classifier.

    Its labels are language codes (lid.176), or LANGUAGE_Script as GlotLID and OpenLID have them, or what `label_map`
    (label -> code) says; a label that the map lacks is no wanted language.
    """

    def __init__(self, model: Path, label_map: Mapping[str, str] | None = None) -> None:
        if not model.is_file():
            raise CorpusError(f"{model}: no such file: wanted a fastText model, e.g. lid.176.ftz")
        fasttext.FastText.eprint = lambda *_: None  # its loader warns on stderr about its own past
        self._batches = _batches(model)
        try:
            self._model = fasttext.load_model(str(model)).f
        except ValueError as error:
            raise CorpusError(f"{model}: {error}: wanted a fastText model, e.g. lid.176.ftz") from error
        labels = [label.removeprefix(LABEL_PREFIX) for label in self._model.getLabels("strict")[0]]
        if label_map is None and sum(bool(ISO_LABEL.fullmatch(label)) for label in labels) > len(labels) / 2:
            label_map = iso_labels()
        self._code_of = {label: label_map.get(label, label) for label in labels} if label_map else {}
        self.codes = frozenset(self._code_of.values() if label_map else labels)  # that it can answer

    def identify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Best label and score of each text, rounded to two decimals as CCNet does before it compares.

        Equal to fastText's own answers: where the last bits of a float could change one, fastText is asked.
        """
        found = self._labels([text.replace("\n", "") for text in texts])
        return [(self._code_of.get(label, label), score) for label, score in found]

    def identify_all(self, texts: Sequence[str]) -> list[Answer]:
        """`identify`, with what other identifiers say."""
        return [(label, score, Verdict.ALONE) for label, score in self.identify(texts)]

    def _labels(self, lines: Sequence[str]) -> list[tuple[str, float]]:
        if self._batches is None:
            return [self._ask(line) for line in lines]
        labels = self._batches.labels
        best, first, second = self._batches.best(lines)
        unsure = ~((np.abs(first * 100 % 1 - 0.5) > 100 * CLOSE) & (first - second > CLOSE))
        scores = np.round(first, 2).tolist()
        return [
            self._ask(line) if ask else (labels[label].removeprefix(LABEL_PREFIX), score)
            for line, label, score, ask in zip(lines, best, scores, unsure.tolist(), strict=True)
        ]

    def _ask(self, line: str) -> tuple[str, float]:
        """The binding is called below fasttext's own predict(), which numpy 2 breaks."""
        found = self._model.predict(line + "\n", 1, 0.0, "strict")
        if not found:
            return "", 0.0
        score, label = found[0]
        return label.removeprefix(LABEL_PREFIX), float(np.round(score, 2))  # numpy's rounding, as in CCNet


def _batches(model: Path) -> FastTextModel | None:
    """The model for many texts at once; None where fastText alone reads it.  Raises CorpusError."""
    try:
        return FastTextModel(model)
    except CutModel as error:
        raise CorpusError(f"{model}: {error}: wanted a whole fastText model, e.g. lid.176.ftz") from error
    except UnknownModel:
        pass
    return None


def identify_shard(
    documents: Path,
    identifier: LanguageIdentifier,
    folder: Path,
    *,
    threshold: float = 0.5,
    languages: Collection[str] = (),
    paragraphs: bool = False,
    sample: LanguageSample | None = None,
) -> Counter[str]:
    """Write the documents whose score reaches the threshold and whose language is wanted (none named: all are), each
    to the LANG.parquet of its language.

    lid.176 says `zh` and `my`; where zh-Hans, zh-Hant or my_zaw is wanted the script decides.  Per-language counts
    are `kept_LANG`; of several identifiers also `agreed_LANG` (of the kept) and `unsure_LANG` (by the first's label).
    `paragraphs`: each line is a row, named and counted of its own.  `sample` takes of what is kept.
    """
    counts: Counter[str] = Counter()
    with PartWriters(lambda language: folder / f"{language}.parquet", by=("language",)) as writers:
        for batch in read_batches(documents):
            rows = split_paragraphs(batch) if paragraphs else batch
            kept = identify_batch(rows, identifier, counts, threshold=threshold, languages=languages)
            writers.write(kept)
            if sample is not None:
                sample.add(kept.column("language").to_pylist(), kept.column("text").to_pylist())
    return counts


def identify_batch(
    batch: pa.RecordBatch,
    identifier: LanguageIdentifier,
    counts: Counter[str],
    *,
    threshold: float = 0.5,
    languages: Collection[str] = (),
) -> pa.RecordBatch:
    """The documents of a batch that `identify_shard` keeps, with their language."""
    rows, labels, scores = [], [], []
    texts = batch.column("text").to_pylist()
    for row, (label, score, verdict) in enumerate(identifier.identify_all(texts)):
        label = code_by_script(label, texts[row], languages)
        if not texts[row]:  # an empty line alone was left: CCNet asks about no such text
            counts["dropped_empty"] += 1
        elif score < threshold:
            counts["dropped_low_score"] += 1
        elif languages and label not in languages:
            counts["dropped_other_language"] += 1
        elif verdict is Verdict.UNSURE:
            counts["dropped_unsure"] += 1
            counts[f"unsure_{label}"] += 1
        else:
            counts[f"kept_{label}"] += 1
            if verdict is Verdict.AGREED:
                counts[f"agreed_{label}"] += 1
            rows.append(row)
            labels.append(label)
            scores.append(score)
    counts["documents_in"] += batch.num_rows
    counts["documents_kept"] += len(rows)
    return _with_language(batch, rows, labels, scores)


def _with_language(batch: pa.RecordBatch, rows: list[int], labels: list[str], scores: list[float]) -> pa.RecordBatch:
    kept = batch.take(pa.array(rows, pa.int64()))
    added = [pa.array(labels, pa.string()), pa.array(scores, pa.float64())]
    return pa.RecordBatch.from_arrays([*kept.columns, *added], schema=IDENTIFIED)
