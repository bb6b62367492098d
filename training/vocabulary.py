"""One SentencePiece unigram vocabulary for all languages, with XLM-R's ids.

<s> 0, <pad> 1, </s> 2, <unk> 3, then SentencePiece's pieces shifted by one, <mask> last (fairseq's dictionary).
The trainer's options are those that Hugging Face's XLM-R tokenizer reproduces: default ids, nmt_nfkc, no byte
fallback, extra spaces removed.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import sentencepiece

from training.sampling import language_probabilities

BOS, PAD, EOS, UNK = 0, 1, 2, 3
FIRST_PIECE = 4
SHIFT = 1  # SentencePiece has <unk> 0, <s> 1, </s> 2
MAX_LINE_BYTES = 4192  # SentencePiece's default; longer lines would be dropped silently, so they are cut
Texts = Mapping[str, Callable[[], Iterable[str]]]


def train_vocabulary(
    texts: Texts,
    characters: Mapping[str, int],
    model: Path,
    *,
    size: int,
    alpha: float = 0.3,
    max_characters: int = 100_000_000,
    character_coverage: float = 0.9995,
    seed: int = 1,
) -> dict[str, int]:
    """Train on raw lines sampled with q_l; write the model file.  Returns language -> characters sampled.

    `characters` says how much text each language has.  A language is never sampled beyond its text.  Little text
    gives fewer pieces than `size`.  Raises ValueError with what the trainer said.
    """
    shares = language_probabilities(characters, alpha)
    sampled: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.txt"
        with lines.open("w", encoding="utf-8") as file:
            for language, share in shares.items():
                fraction = min(1.0, share * max_characters / characters[language])
                chance = random.Random(f"{seed}/{language}")
                sampled[language] = _write_sample(texts[language](), fraction, chance, file)
        model.write_bytes(_train(lines, size, character_coverage, sum(sampled.values())))
    return sampled


def _train(lines: Path, size: int, character_coverage: float, characters: int) -> bytes:
    """The model; lines are handed over one by one, since a file's name would stand in it."""
    model = io.BytesIO()
    try:
        with lines.open(encoding="utf-8") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(line.rstrip("\n") for line in file),
                model_writer=model,
                model_type="unigram",
                vocab_size=size,
                hard_vocab_limit=False,
                character_coverage=character_coverage,
                max_sentence_length=MAX_LINE_BYTES,
                num_threads=2,  # fixed: sums of floats depend on it
                minloglevel=2,
            )
    except (RuntimeError, OSError) as error:
        said = str(error).rsplit("] ", 1)[-1]  # without the place in its source
        raise ValueError(f"SentencePiece, {size} pieces from {characters:,} characters: {said}") from error
    return model.getvalue()


def _write_sample(texts: Iterable[str], fraction: float, chance: random.Random, file: TextIO) -> int:
    characters = 0
    for text in texts:
        for line in text.split("\n"):
            if line and chance.random() < fraction:
                for part in _parts(line):
                    file.write(part + "\n")
                characters += len(line)
    return characters


def _parts(line: str) -> Iterator[str]:
    """The line in parts of at most MAX_LINE_BYTES bytes (a character has at most 4)."""
    if len(line.encode()) <= MAX_LINE_BYTES:
        yield line
        return
    step = MAX_LINE_BYTES // 4
    for start in range(0, len(line), step):
        yield line[start : start + step]


class Vocabulary:
    """Text to ids and back."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
        self._size = int(self._pieces.get_piece_size()) + 2

    @classmethod
    def load(cls, model: Path) -> Vocabulary:
        """Raises ValueError where the file is no SentencePiece model."""
        try:
            return cls(model)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{model}: {error}: wanted a SentencePiece model") from error

    def __len__(self) -> int:
        return self._size

    @property
    def mask_id(self) -> int:
        return self._size - 1

    def encode(self, text: str) -> list[int]:
        """Ids without <s> and </s>; what no piece covers is <unk>."""
        return [_shifted(piece) for piece in self._pieces.encode(text, out_type=int)]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        found = self._pieces.encode(list(texts), out_type=int, num_threads=1)
        return [[_shifted(piece) for piece in pieces] for pieces in found]

    def encode_with_offsets(self, text: str) -> list[tuple[int, int, int]]:
        """(id, start, end) of each piece: characters of the original text, leading spaces not among them."""
        pieces = self._pieces.encode(text, out_type="proto").pieces
        at = _character_of_byte(text)
        spans = []
        for piece in pieces:
            start, end = at[piece.begin], at[piece.end]
            while start < end and text[start].isspace():
                start += 1
            spans.append((_shifted(piece.id), start, end))
        return spans

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; <s>, <pad>, </s> and <mask> are left out."""
        pieces = [i - SHIFT if i >= FIRST_PIECE else 0 for i in ids if i == UNK or FIRST_PIECE <= i < self.mask_id]
        return str(self._pieces.decode(pieces))


def _shifted(piece: int) -> int:
    return piece + SHIFT if piece else UNK


def _character_of_byte(text: str) -> list[int]:
    """For each UTF-8 byte offset (and the end), the character it belongs to."""
    table: list[int] = []
    for index, character in enumerate(text):
        table.extend([index] * len(character.encode("utf-8", "surrogatepass")))
    return [*table, len(text)]
