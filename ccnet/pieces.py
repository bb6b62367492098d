"""A SentencePiece model asked for the pieces of many texts, as lines for KenLM: the same pieces, several times faster.

SentencePiece answers where a model is of a kind that is not known here, where its version computes otherwise, where a
text has the mark that stands for a space, and where it is so long (some 50 KB) that versions of SentencePiece differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from ccnet import _pieces

SPACE_MARK = "\u2581"
UNKNOWN_PENALTY = np.float32(10.0)  # SentencePiece's kUnkPenalty
UNIGRAM = 1  # TrainerSpec.UNIGRAM
NORMAL, USER_DEFINED, UNUSED, BYTE = 1, 4, 5, 6  # types of pieces
NORMALIZERS = ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity")  # no rule of theirs reaches over a space
JAMO = range(0x1100, 0x1200)  # they and marks (M) are what other characters are composed with
PROBE_PIECES = 2_000

SPACES = [space for space in map(chr, range(0x3001)) if space.isspace() and category(space) != "Cc"]

Proto = Any  # sentencepiece_model_pb2.ModelProto, which has no types
Pieces = list[tuple[str, float]]  # with their scores
Processor = sentencepiece.SentencePieceProcessor


class PieceEncoder:
    """Texts to lines of pieces parted by spaces."""

    def __init__(self, model: Path) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
        proto: Proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        proto.ParseFromString(model.read_bytes())
        normal = [(piece.piece, piece.score) for piece in proto.pieces if piece.type == NORMAL]
        words = _word_encoder(proto, normal, self._processor) if _is_known(proto, normal) else None
        self._words = words if words is not None and _agree(words, normal, self._processor) else None
        self._no_space_in_pieces = _no_space_in_pieces(proto, self._processor)

    def lines(self, texts: Sequence[str]) -> list[tuple[bytes, int]]:
        """Of each text its pieces as UTF-8, parted by spaces, and how many words CCNet counts in that line."""
        return [self._line(text) for text in texts]

    def _line(self, text: str) -> tuple[bytes, int]:
        found = _pieces.encode(self._words, text) if self._words is not None else None
        if found is None:
            pieces = self._processor.encode(text, out_type=str)
            found = " ".join(pieces).encode(), len(pieces)
        line, pieces_of_it = found
        return line, pieces_of_it if self._no_space_in_pieces else len(line.decode().split())


def _is_known(proto: Proto, normal: Pieces) -> bool:
    """Whether the model is a unigram model whose pieces end where a space is."""
    normalizer, trainer = proto.normalizer_spec, proto.trainer_spec
    plain = normalizer.add_dummy_prefix and normalizer.remove_extra_whitespaces and normalizer.escape_whitespaces
    odd = trainer.treat_whitespace_as_suffix or trainer.byte_fallback
    return bool(
        trainer.model_type == UNIGRAM
        and normalizer.name in NORMALIZERS
        and plain
        and not odd
        and not {USER_DEFINED, UNUSED, BYTE} & {piece.type for piece in proto.pieces}
        and any(piece == SPACE_MARK for piece, _ in normal)
        and not any(SPACE_MARK in piece[1:] for piece, _ in normal)
    )


def _word_encoder(proto: Proto, normal: Pieces, processor: Processor) -> _pieces.Model:
    unknown = np.float32(min(score for _, score in normal)) - UNKNOWN_PENALTY
    inert = _inert(proto.normalizer_spec.precompiled_charsmap, processor.normalize)
    return _pieces.load(normal, float(unknown), processor.normalize, inert)


def _agree(words: _pieces.Model, normal: Pieces, processor: Processor) -> bool:
    """Whether a text of the model's own pieces, many of which may be parted in several ways, comes out the same."""
    text = "".join(piece.replace(SPACE_MARK, " ") for piece, _ in normal[-PROBE_PIECES:] + normal[:PROBE_PIECES])
    found = _pieces.encode(words, text)
    return found is None or found[0] == " ".join(processor.encode(text, out_type=str)).encode()


_INERT: dict[bytes, bytes] = {}


def _inert(rules: bytes, normalize: Callable[[list[str]], list[str]]) -> bytes:
    """Of each code point below 65536 whether the rules leave it as it is, whatever stands beside it."""
    if rules not in _INERT:
        codes = [code for code in range(1 << 16) if code not in JAMO and category(chr(code))[0] in "LNPS"]
        words = [f"a{chr(code)}a" for code in codes]
        found = bytearray(1 << 16)
        for code, word, normal in zip(codes, words, normalize(words), strict=True):
            found[code] = normal == SPACE_MARK + word
        _INERT[rules] = bytes(found)
    return _INERT[rules]


def _no_space_in_pieces(proto: Proto, processor: Processor) -> bool:
    """Whether the model makes every white space a part of no piece, so that a line need not be split to be counted.

    Control characters are gone by then (`ccnet.normalize`).
    """
    found = chain.from_iterable(processor.encode([f"a {space}a{space} {space}" for space in SPACES], out_type=str))
    return not any(map(str.isspace, {*"".join(found), *"".join(piece.piece for piece in proto.pieces)}))
