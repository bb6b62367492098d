"""Append another vocabulary's pieces to a checkpoint, to go on pretraining with a new language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import sentencepiece

from training.export import load_checkpoint
from training.ids import SHIFT, UNK
from training.pieces import NORMAL, STEP, read_pieces, with_pieces
from training.resize import NEW, Resized, report, resized, write_resized
from training.vocabulary import Vocabulary

SPACE = "\u2581"


def extend(checkpoint: Path, vocabulary: Path, addition: Path, output: Path, *, penalty_nats: float = 0.0) -> Resized:
    """Write a folder in Hugging Face's format with the pieces of `addition` that `vocabulary` lacks, behind its own.

    Old ids stay; only <mask>, which is last in XLM-R, moves behind the new ones.  A new row begins as the mean of the
    rows of the pieces that its text was cut into before.  `penalty_nats` lowers the new pieces' scores: the higher it
    is, the less often they win in a text of the old languages (`lines_cut_anew` tells).  Raises ValueError.
    """
    model, config = load_checkpoint(checkpoint)
    content = vocabulary.read_bytes()
    pieces = read_pieces(content)
    if len(pieces) + 2 != config.vocabulary_size:
        raise ValueError(f"{vocabulary}: {len(pieces) + 2:,} ids, the model has {config.vocabulary_size:,}")
    known = {piece.text for piece in pieces}
    added = [
        replace(piece, score=round((piece.score - penalty_nats) / STEP) * STEP)
        for piece in read_pieces(addition.read_bytes())
        if piece.kind == NORMAL and piece.text not in known
    ]
    if not added:
        raise ValueError(f"{addition}: all of its pieces are in {vocabulary} already: nothing to add")
    before = sentencepiece.SentencePieceProcessor(model_proto=content)
    mask_id = config.vocabulary_size - 1
    means = {mask_id + number: _origins(before, piece.text) for number, piece in enumerate(added)}
    rows = [*range(mask_id), *([NEW] * len(added)), mask_id]
    write_resized(resized(model, config, rows, means), with_pieces(content, [*pieces, *added]), output)
    return report(config, rows)


def lines_cut_anew(before: Vocabulary, after: Vocabulary, texts: Iterable[str]) -> Counter[str]:
    """How many lines of the old languages the new pieces change."""
    counts: Counter[str] = Counter(lines=0, lines_cut_anew=0)
    for text in texts:
        lines = [line for line in text.split("\n") if line.strip()]
        pairs = zip(before.encode_batch(lines), after.encode_batch(lines), strict=True)
        counts["lines"] += len(lines)
        counts["lines_cut_anew"] += sum(old != new for old, new in pairs)
    return counts


def _origins(before: sentencepiece.SentencePieceProcessor, piece: str) -> list[int]:
    """Old ids of a piece's text; SentencePiece puts a space before it, which is left out where the piece has none."""
    found = before.encode(piece.replace(SPACE, " "), out_type=int)
    if found and not piece.startswith(SPACE) and before.id_to_piece(found[0]) == SPACE:
        found = found[1:]
    return [number + SHIFT if number else UNK for number in found] or [UNK]
