"""Train a language's model on clean text as CCNet does: normalise, SentencePiece unigram, lmplz, build_binary."""

from __future__ import annotations

import io
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import sentencepiece

from ccnet.document import CorpusError
from ccnet.normalize import normalize_for_language_model

CHUNK_LINES = 1024
MAX_LINES = 1_000_000  # CCNet's NDOC_FOR_LM
CHARACTERS_PER_PIECE = 40  # ours: little text cannot fill a large vocabulary
MIN_CHARACTERS = 10_000  # ours: less text gives no model, and the language's bucket is `all`
MAX_LINE_BYTES = 4096  # SentencePiece drops longer lines silently


def train_language_model(
    lines: Iterable[str],
    folder: Path,
    *,
    lmplz: Path,
    build_binary: Path,
    order: int = 5,
    vocabulary_size: int = 65_536,
    prune: Sequence[int] = (),
    structure: str = "probing",
    bits: int = 0,
    memory: str = "30%",
) -> Counter[str]:
    """Write sp.model and arpa.bin into `folder`, or neither where the text is less than MIN_CHARACTERS.

    `prune` are lmplz's counts by order, `structure` and `bits` (of a quantised trie) build_binary's.
    The same lines give the same bytes.  Raises CorpusError with what a trainer said.
    """
    clean, pieces = folder / "text.txt", folder / "pieces.txt"
    counts = _write_clean(lines, clean)
    if counts["characters"] < MIN_CHARACTERS:
        return counts
    least = max(100, counts["distinct_characters"] + 3)  # a trainer refuses fewer pieces than characters
    size = min(vocabulary_size, max(least, counts["characters"] // CHARACTERS_PER_PIECE))
    _train_pieces(clean, folder / "sp.model", size)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sp.model"))
    counts["pieces"] = processor.get_piece_size()
    with clean.open(encoding="utf-8") as source, pieces.open("w", encoding="utf-8") as target:
        for line in source:
            target.write(" ".join(processor.encode(line.rstrip("\n"), out_type=str)) + "\n")
    arpa = folder / "model.arpa"
    options = ["-o", str(order), "-S", memory, "-T", str(folder), "--vocab_estimate", str(vocabulary_size)]
    options += ["--prune", *map(str, prune)] if prune else []
    _run([str(lmplz), *options, "--discount_fallback", "--text", str(pieces), "--arpa", str(arpa)])
    quantised = ["-q", str(bits), "-b", str(bits)] if bits else []
    if bits and structure != "trie":
        raise CorpusError(f"{bits} bits with the structure {structure!r}: only a trie is quantised")
    _run([str(build_binary), *quantised, structure, str(arpa), str(folder / "arpa.bin")])
    for path in (clean, pieces, arpa):
        path.unlink()
    return counts


def _write_clean(lines: Iterable[str], path: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    with path.open("w", encoding="utf-8") as file:
        for line in _normalized(_counted(lines, counts)):
            for part in _short(line):
                file.write(part + "\n")
                counts["lines"] += 1
                counts["characters"] += len(part)
                seen.update(part)
            if counts["lines"] >= MAX_LINES:
                break
    counts["distinct_characters"] = len(seen)
    return counts


def _counted(lines: Iterable[str], counts: Counter[str]) -> Iterator[str]:
    for line in lines:
        counts["reference_bytes"] += len(line.encode())
        yield line


def _normalized(lines: Iterable[str]) -> Iterator[str]:
    rest = iter(lines)
    while chunk := list(islice(rest, CHUNK_LINES)):
        yield from normalize_for_language_model(chunk)


def _short(line: str) -> Iterator[str]:
    """A line in parts that SentencePiece does not drop."""
    characters = MAX_LINE_BYTES // 4
    for start in range(0, len(line), characters):
        yield line[start : start + characters]


def _train_pieces(text: Path, target: Path, size: int) -> None:
    """The lines are handed over one by one: a file's name would stand in the model."""
    model = io.BytesIO()
    try:
        with text.open(encoding="utf-8") as lines:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(line.rstrip("\n") for line in lines),
                model_writer=model,
                model_type="unigram",
                vocab_size=size,
                hard_vocab_limit=False,
                character_coverage=0.9995,  # CCNet's Makefile
                max_sentence_length=MAX_LINE_BYTES,
                num_threads=1,
                minloglevel=2,
            )
    except (RuntimeError, OSError) as error:
        said = str(error).rsplit("] ", 1)[-1]  # without the place in its source
        raise CorpusError(f"SentencePiece, {size} pieces from {text.stat().st_size:,} bytes: {said}") from error
    target.write_bytes(model.getvalue())


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CorpusError(f"{Path(command[0]).name} ended with {result.returncode}: {result.stderr.strip()[-400:]}")
