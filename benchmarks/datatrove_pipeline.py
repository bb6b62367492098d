"""What datatrove users run for CCNet's recipe: three tasks, with the same models.  Prints its CPU seconds as JSON.

Runs in datatrove's own environment: python benchmarks/datatrove_pipeline.py WET MODELS IDENTIFIER FOLDER
"""

from __future__ import annotations

import json
import sys
import time
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
from fasttext.FastText import _FastText


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
        self.models = {path.name.split(".")[0]: LocalModel(folder, path.name.split(".")[0])
                       for path in folder.glob("*.arpa.bin")}  # fmt: skip

    def run(self, data, rank: int = 0, world_size: int = 1):
        for document in data:
            model = self.models.get(document.metadata["language"])
            document.metadata["perplexity"] = model.get_perplexity(document.text) if model else None
            yield document


def run(steps: list) -> None:
    data = None
    for step in steps:
        data = step(data) if callable(step) else step.run(data)
    for _ in data or ():
        pass


def main() -> None:
    source, models, identifier, folder = map(Path, sys.argv[1:5])
    config = SentDedupConfig(n_sentences=1, split_sentences=False, only_dedup_in_index=False, min_doc_words=1,
                             min_num_sentences=1)  # fmt: skip
    language_filter = LanguageFilter(language_threshold=0.5)
    language_filter.model._model = _FastText(str(identifier))
    perplexity = Perplexity(models)
    begun = time.process_time()
    run([
        WarcReader(str(source.parent), glob_pattern=source.name),
        LambdaFilter(lambda document: len(document.text) >= 300),
        ParquetWriter(str(folder / "text")),
        SentenceDedupSignature(str(folder / "signatures"), config=config),
    ])  # fmt: skip
    run([SentenceFindDedups(str(folder / "signatures"), str(folder / "duplicates"), config=config)])
    run([
        ParquetReader(str(folder / "text")),
        SentenceDedupFilter(str(folder / "duplicates"), config=config),
        language_filter,
        perplexity,
        ParquetWriter(str(folder / "out"), compression="zstd"),
    ])  # fmt: skip
    print(json.dumps({"cpu_s": time.process_time() - begun}))


if __name__ == "__main__":
    main()
