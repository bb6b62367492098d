"""One SentencePiece unigram vocabulary for all languages, with XLM-R's ids.

<s> 0, <pad> 1, </s> 2, <unk> 3, then SentencePiece's pieces shifted by one, <mask> last (fairseq's dictionary).
The trainer's options are those that Hugging Face's XLM-R tokenizer reproduces: default ids, nmt_nfkc, no byte
fallback, extra spaces removed.
"""

from __future__ import annotations

import gzip
import heapq
import io
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TextIO

import sentencepiece

from training.ids import BOS as BOS  # these are the vocabulary's own for its readers
from training.ids import EOS as EOS
from training.ids import FIRST_PIECE, SHIFT
from training.ids import PAD as PAD
from training.ids import UNK as UNK
from training.pieces import with_exact_scores
from training.sampling import language_probabilities

PIECES = "sentencepiece.bpe.model"  # the file's name in XLM-R's folders
MAX_LINE_BYTES = 4192  # SentencePiece's default; longer lines would be dropped silently, so they are cut
RESERVED = "\u2585"  # SentencePiece's own mark of an unknown character; its trainer skips a line with it without a word
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, of which there is no UTF-8
KINDS = ("unigram", "bpe")
HELD_OUT_LINES = 1000  # of a part of a language, ours: a vocabulary's fertility is measured on them
SAMPLE_COUNTS = ("lines_read", "characters_read", "lines", "characters", "lines_not_drawn",
                 "lines_with_reserved_character", "lines_not_unicode")  # fmt: skip
Texts = Mapping[str, Callable[[], Iterable[str]]]


def sampling_fractions(characters: Mapping[str, int], alpha: float, max_characters: int) -> dict[str, float]:
    """Language -> the share of its lines to sample so that about `max_characters` follow q_l (paper section 3.1).

    A language is never sampled beyond its text, so little text gives a smaller sample.  Raises ValueError where no
    language has text.
    """
    shares = language_probabilities(characters, alpha)
    return {language: min(1.0, share * max_characters / characters[language]) for language, share in shares.items()}


def estimated_memory_bytes(characters: int, seed_pieces: int = 1_000_000) -> int:
    """What training on that many characters takes, to be told beforehand.

    SentencePiece holds all lines and a suffix array: users report 70 GB for ten million sentences, about 70 bytes a
    character (20 were measured at a million characters, whose repeats are fewer); a candidate takes about 100.
    """
    return 100_000_000 + 70 * characters + 100 * seed_pieces


def sample_lines(
    texts: Iterable[str], fraction: float, chance_key: str, file: Path, held_out: Path | None = None
) -> Counter[str]:
    """Write about `fraction` of the lines of one part of a language; gzip where the name ends in .gz.

    Which lines depends on `chance_key` (seed, language and part) and the part's text alone.  A line longer than
    SentencePiece takes is cut, not dropped.  Counts what was read, `lines` and `characters` written, and by reason
    what was not: lines_read = lines + lines_not_drawn + lines_with_reserved_character + lines_not_unicode.
    `held_out` gets up to HELD_OUT_LINES of those that were not drawn, by chance too: none where all are drawn.
    """
    aside: list[tuple[float, int, str]] = []  # a heap of those with the highest numbers
    counts: Counter[str] = Counter(dict.fromkeys(SAMPLE_COUNTS, 0))
    chance = random.Random(chance_key)
    with _open_lines(file, "w") as out:
        for text in texts:
            for line in text.split("\n"):
                if line.strip():
                    number = chance.random()
                    reason = _reason_to_drop(line, number >= fraction)
                    counts["lines_read"] += 1
                    if held_out is not None and reason == "lines_not_drawn":
                        _set_aside(aside, (number, counts["lines_read"], line))
                    counts["characters_read"] += len(line)
                    counts[reason or "lines"] += 1
                    if reason is None:
                        counts["characters"] += len(line)
                        out.writelines(part + "\n" for part in _parts(line))
    if held_out is not None:
        with _open_lines(held_out, "w") as out:
            out.writelines(f"{line}\n" for _, _, line in sorted(aside, key=lambda one: one[1]))
    return counts


def train_on_samples(
    files: Sequence[Path],
    model: Path,
    *,
    size: int,
    character_coverage: float = 0.9995,
    kind: str = "unigram",
    seed_pieces: int = 1_000_000,
    allow_fewer: bool = True,
    threads: int = 2,
) -> Counter[str]:
    """Train SentencePiece on files that `sample_lines` wrote, in their order; write the model file.

    Counts pieces, pieces_missing (of `size`), lines and characters.  Little text gives fewer pieces than `size`:
    with `allow_fewer` false that raises ValueError, as does all that the trainer refuses.  `seed_pieces` is how many
    candidates unigram starts from; sums of floats depend on `threads`.
    """
    if kind not in KINDS:
        raise ValueError(f"vocabulary of kind {kind!r}: wanted one of {', '.join(KINDS)}")
    counts: Counter[str] = Counter(lines=0, characters=0)
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(files, counts),  # a file's name would stand in the model
            model_writer=written,
            model_type=kind,
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            seed_sentencepiece_size=max(seed_pieces, size),
            max_sentence_length=MAX_LINE_BYTES,
            num_threads=threads,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        said = str(error).rsplit("] ", 1)[-1]  # without the place in its source
        asked = f"{size:,} pieces from {counts['characters']:,} characters"
        raise ValueError(f"SentencePiece, {asked}: {said}") from error
    exact = with_exact_scores(written.getvalue()) if kind == "unigram" else written.getvalue()
    found = sentencepiece.SentencePieceProcessor(model_proto=exact).get_piece_size()
    counts.update(pieces=found, pieces_missing=max(0, size - found))
    if found < size and not allow_fewer:
        raise ValueError(
            f"SentencePiece found {found:,} pieces in {counts['characters']:,} characters, {size:,} were asked for: "
            "sample more text, or ask for fewer pieces"
        )
    model.write_bytes(exact)
    return counts


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
    """Sample and train in one go, for text that needs no parts.  Returns language -> characters sampled."""
    sampled: dict[str, int] = {}
    files: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for language, fraction in sampling_fractions(characters, alpha, max_characters).items():
            files.append(Path(folder) / f"{language}.txt")
            counts = sample_lines(texts[language](), fraction, f"{seed}/{language}", files[-1])
            sampled[language] = counts["characters"]
        train_on_samples(files, model, size=size, character_coverage=character_coverage)
    return sampled


@contextmanager
def _open_lines(path: Path, mode: Literal["r", "w"]) -> Iterator[TextIO]:
    """Lines end in \\n only: text may hold other marks that Python takes for a line's end."""
    with path.open(f"{mode}b") as file:
        body: IO[bytes] = file
        if path.suffix == ".gz":  # neither time nor name in the header: the same text gives the same bytes
            body = gzip.GzipFile("", f"{mode}b", compresslevel=6, fileobj=file, mtime=0)  # type: ignore[assignment]
        with io.TextIOWrapper(body, encoding="utf-8", newline="\n") as lines:
            yield lines


def _set_aside(aside: list[tuple[float, int, str]], drawn: tuple[float, int, str]) -> None:
    """Keep those with the highest numbers in the heap."""
    if len(aside) == HELD_OUT_LINES and drawn <= aside[0]:
        return
    if _reason_to_drop(drawn[2], not_drawn=False) is None:
        (heapq.heappush if len(aside) < HELD_OUT_LINES else heapq.heapreplace)(aside, drawn)


def read_lines(file: Path) -> Iterator[str]:
    """The lines that `sample_lines` wrote."""
    with _open_lines(file, "r") as lines:
        yield from (line.rstrip("\n") for line in lines)


def _lines(files: Sequence[Path], counts: Counter[str]) -> Iterator[str]:
    for file in files:
        for line in read_lines(file):
            counts["lines"] += 1
            counts["characters"] += len(line)
            yield line


def _reason_to_drop(line: str, not_drawn: bool) -> str | None:
    if not_drawn:
        return "lines_not_drawn"
    if RESERVED in line:
        return "lines_with_reserved_character"
    return "lines_not_unicode" if SURROGATE.search(line) else None


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
