"""What datatrove users run nearest to CCNet's recipe: three tasks, the same models, the settings that cost least.

Runs in datatrove's own environment: python benchmarks/datatrove_pipeline.py WET MODELS IDENTIFIER FOLDER
Prints its version and the documents after each step as JSON.

Settings: `min_doc_words=0` and `min_num_sentences=0` (else SentenceDedupFilter runs spaCy on every changed document,
for bounds that CCNet does not have); normalisation as near to CCNet's as datatrove has it, which is also the cheapest
(lower case and digits alone); xxhash; Parquet between the tasks.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import kenlm
import sentencepiece
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import SentenceDedupFilter, SentenceDedupSignature, SentenceFindDedups
from datatrove.pipeline.dedup.sentence_dedup import SentDedupConfig
from datatrove.pipeline.filters import LambdaFilter, LanguageFilter
from datatrove.pipeline.readers import ParquetReader, WarcReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.perplexity import KenlmModel
from datatrove.utils.text import TextNormConfig
from fasttext.FastText import _FastText

MIN_CHARACTERS = 300
NORMALIZATION = TextNormConfig(
    lowercase=True, norm_whitespace=False, remove_punctuation=False, norm_unicode_diacritics=False, norm_numbers=True
)


class LocalModel(KenlmModel):
    """datatrove's CCNet perplexity with models from a folder instead of a hub."""

    def __init__(self, folder: Path, language: str) -> None:
        super().__init__(str(folder), language)
        self._model = kenlm.Model(str(folder / f"{language}.arpa.bin"))
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{language}.sp.model"))

        class Tokenizer:
            def tokenize(self, text: str) -> str:
                return " ".join(pieces.encode_as_pieces(text))

        self._tokenizer = Tokenizer()


class Perplexity(PipelineStep):
    """Adds the perplexity of documents whose language has a model."""

    name = "perplexity"
    type = "score"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.models: dict[str, LocalModel] = {}

    def run(self, data, rank: int = 0, world_size: int = 1):
        for document in data:
            model = self.model_of(document.metadata["language"])
            document.metadata["perplexity"] = model.get_perplexity(document.text) if model else None
            yield document

    def model_of(self, language: str) -> LocalModel | None:
        if language not in self.models and (self.folder / f"{language}.arpa.bin").exists():
            self.models[language] = LocalModel(self.folder, language)
        return self.models.get(language)


class Count(PipelineStep):
    """Counts what passes."""

    name = "count"
    type = "count"

    def __init__(self, counts: Counter[str], what: str) -> None:
        super().__init__()
        self.counts, self.what = counts, what

    def run(self, data, rank: int = 0, world_size: int = 1):
        for document in data:
            self.counts[self.what] += 1
            self.counts[f"characters_{self.what}"] += len(document.text)
            yield document


def run(steps: list) -> None:
    data = None
    for step in steps:
        data = step(data) if callable(step) else step.run(data)
    for _ in data or ():
        pass


def main() -> None:
    source, models, identifier, folder = map(Path, sys.argv[1:5])
    counts: Counter[str] = Counter()
    config = SentDedupConfig(n_sentences=1, split_sentences=False, only_dedup_in_index=False, min_doc_words=0,
                             min_num_sentences=0, norm_config=NORMALIZATION)  # fmt: skip
    language_filter = LanguageFilter(language_threshold=0.5)
    language_filter.model._model = _FastText(str(identifier))
    run([
        WarcReader(str(source.parent), glob_pattern=source.name),
        Count(counts, "read"),
        LambdaFilter(lambda document: len(document.text) >= MIN_CHARACTERS),
        Count(counts, "long_enough"),
        ParquetWriter(str(folder / "text")),
        SentenceDedupSignature(str(folder / "signatures"), config=config),
    ])  # fmt: skip
    run([SentenceFindDedups(str(folder / "signatures"), str(folder / "duplicates"), config=config)])
    run([
        ParquetReader(str(folder / "text")),
        SentenceDedupFilter(str(folder / "duplicates"), config=config),
        Count(counts, "deduplicated"),
        language_filter,
        Count(counts, "identified"),
        Perplexity(models),
        ParquetWriter(str(folder / "out"), compression="zstd"),
        Count(counts, "written"),
    ])  # fmt: skip
    print(json.dumps({"version": version("datatrove"), "documents": counts}))


if __name__ == "__main__":
    main()
