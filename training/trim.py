"""Cut a checkpoint's vocabulary to the pieces that some languages use.

A kept piece's row moves with it, so the outputs for texts of kept pieces, over kept ids, are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from training.export import load_checkpoint
from training.ids import FIRST_PIECE, SHIFT
from training.pieces import NORMAL, read_pieces, with_pieces
from training.resize import Resized, report, resized, write_resized
from training.sizes import EncoderConfig
from training.vocabulary import Vocabulary

FIRST_NORMAL = 3  # SentencePiece's <unk>, <s>, </s> come before


def used_pieces(texts: Iterable[str], vocabulary: Vocabulary) -> Counter[int]:
    """How often each id stands in the texts, line by line."""
    counts: Counter[int] = Counter()
    for text in texts:
        for ids in vocabulary.encode_batch(text.split("\n")):
            counts.update(ids)
    return counts


def trim(checkpoint: Path, vocabulary: Path, counts: Counter[int], output: Path, *, min_count: int = 1) -> Resized:
    """Write a folder in Hugging Face's format with only the ids that `counts` has `min_count` times or more.

    The characters of all used pieces are kept, so that no text of them becomes <unk> that was not; the special ids
    stay.  A text of kept pieces alone is cut as before, since their scores stay.  Raises ValueError where nothing
    would be left.
    """
    model, config = load_checkpoint(checkpoint)
    content = vocabulary.read_bytes()
    pieces = read_pieces(content)
    _check_size(vocabulary, len(pieces), config)
    used = {piece.text for number, piece in enumerate(pieces) if counts[number + SHIFT]}
    characters = set("".join(used))
    keep = [
        number
        for number, piece in enumerate(pieces)
        if number < FIRST_NORMAL
        or piece.kind != NORMAL
        or counts[number + SHIFT] >= min_count
        or piece.text in characters
    ]
    if len(keep) <= FIRST_NORMAL:
        raise ValueError(f"{vocabulary}: none of its {len(pieces):,} pieces is used {min_count} times: give more text")
    old = [*range(FIRST_PIECE), *(number + SHIFT for number in keep[FIRST_NORMAL:]), config.vocabulary_size - 1]
    write_resized(resized(model, config, old, {}), with_pieces(content, [pieces[number] for number in keep]), output)
    return report(config, old)


def _check_size(vocabulary: Path, pieces: int, config: EncoderConfig) -> None:
    if pieces + 2 != config.vocabulary_size:
        raise ValueError(f"{vocabulary}: {pieces + 2:,} ids, the model has {config.vocabulary_size:,}: pass its own")
