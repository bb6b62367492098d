"""Language of a document by fastText (CCNet section 3.3): the whole text with newlines deleted, best label only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa

from ccnet.document import CorpusError
from ccnet.shards import IDENTIFIED, open_writer, read_batches

LABEL_PREFIX = "__label__"
# Characters that only one of the two Chinese scripts writes; a document is what most of its marks are.
SIMPLIFIED_ONLY = frozenset("们这来时会国为说个对发学经动问过还进样实现开关头东车马长门见贝")
TRADITIONAL_ONLY = frozenset("們這來時會國為說個對發學經動問過還進樣實現開關頭東車馬長門見貝")


class LanguageIdentifier:
    """A fastText classifier whose labels are language codes."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise CorpusError(f"{model}: no such file: wanted a fastText model, e.g. lid.176.ftz")
        fasttext.FastText.eprint = lambda *_: None  # its loader warns on stderr about its own past
        try:
            self._model = fasttext.load_model(str(model)).f
        except ValueError as error:
            raise CorpusError(f"{model}: {error}: wanted a fastText model, e.g. lid.176.ftz") from error

    def identify(self, text: str) -> tuple[str, float]:
        """Best label and its score, rounded to two decimals as CCNet does before it compares.

        The binding is called below fasttext's own predict(), which numpy 2 breaks.
        """
        found = self._model.predict(text.replace("\n", "") + "\n", 1, 0.0, "strict")
        if not found:
            return "", 0.0
        score, label = found[0]
        return label.removeprefix(LABEL_PREFIX), float(np.round(score, 2))  # numpy's rounding, as in CCNet


def chinese_script(text: str) -> str:
    """zh-Hans or zh-Hant by which script's own characters the text has more of."""
    simplified = sum(character in SIMPLIFIED_ONLY for character in text)
    traditional = sum(character in TRADITIONAL_ONLY for character in text)
    return "zh-Hant" if traditional > simplified else "zh-Hans"


def identify_shard(
    documents: Path,
    identifier: LanguageIdentifier,
    output: Path,
    *,
    threshold: float = 0.5,
    languages: Collection[str] = (),
) -> Counter[str]:
    """Write the documents whose score reaches the threshold and whose language is wanted (none named: all are).

    lid.176 says `zh`; where zh-Hans or zh-Hant is wanted the script decides.  Per-language counts are `kept_LANG`.
    """
    counts: Counter[str] = Counter()
    chinese = {"zh-Hans", "zh-Hant"} & set(languages)
    with open_writer(output, IDENTIFIED) as writer:
        for batch in read_batches(documents):
            rows, labels, scores = [], [], []
            for row, text in enumerate(batch.column("text").to_pylist()):
                label, score = identifier.identify(text)
                if label == "zh" and chinese:
                    label = chinese_script(text)
                counts["documents_in"] += 1
                if score < threshold:
                    counts["dropped_low_score"] += 1
                elif languages and label not in languages:
                    counts["dropped_other_language"] += 1
                else:
                    counts["documents_kept"] += 1
                    counts[f"kept_{label}"] += 1
                    rows.append(row)
                    labels.append(label)
                    scores.append(score)
            writer.write_batch(_with_language(batch, rows, labels, scores))
    return counts


def _with_language(batch: pa.RecordBatch, rows: list[int], labels: list[str], scores: list[float]) -> pa.RecordBatch:
    kept = batch.take(pa.array(rows, pa.int64()))
    added = [pa.array(labels, pa.string()), pa.array(scores, pa.float64())]
    return pa.RecordBatch.from_arrays([*kept.columns, *added], schema=IDENTIFIED)
