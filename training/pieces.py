"""A SentencePiece model file as records: its pieces, which may be changed, and its normalisation rules.

The file is a protocol buffer (ModelProto); only the fields named here are read, all others are kept as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

PIECE_FIELD, TRAINER_FIELD, NORMALIZER_FIELD = 1, 2, 3
KIND_FIELD, CHARSMAP_FIELD = 3, 2  # of the trainer and of the normalizer
UNIGRAM, BPE = 1, 2  # kinds of a model; unigram where none is stated
TEXT, SCORE, KIND = 1, 2, 3  # fields of a piece
VARINT, LENGTH, FIXED32, FIXED64 = 0, 2, 5, 1  # wire types
NORMAL = 1  # kind of a piece that stands for text; others: unknown 2, control 3, user-defined 4, unused 5, byte 6
LABELS = np.arange(1, 256, dtype=np.int64)  # bytes of a key
AT_ONCE = 2048  # nodes of the trie; more would only take memory
STEP = 2.0**-8  # nats; sums of up to 65,536 nats in such steps are exact in float32


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    score: float
    kind: int = NORMAL


def read_pieces(model: bytes) -> list[Piece]:
    """All pieces in order of their ids.  Raises ValueError where the file is no SentencePiece model."""
    return [_piece(value) for number, _, value, _ in _fields(model) if number == PIECE_FIELD]


def with_pieces(model: bytes, pieces: Sequence[Piece]) -> bytes:
    """The model with these pieces in place of its own."""
    rest = b"".join(raw for number, _, _, raw in _fields(model) if number != PIECE_FIELD)
    return b"".join(_field(PIECE_FIELD, _encoded(piece)) for piece in pieces) + rest


def with_exact_scores(model: bytes) -> bytes:
    """Scores rounded to 1/256 nat, which changes no order of ids.

    So a path's score is the same in whatever precision it is added up, and of two segmentations that score alike
    SentencePiece and Hugging Face's tokenizers take the same one.
    """
    return with_pieces(model, [replace(one, score=round(one.score / STEP) * STEP) for one in read_pieces(model)])


def charsmap(model: bytes) -> bytes:
    """The compiled normalisation rules; empty where there are none."""
    return _inner(model, NORMALIZER_FIELD, CHARSMAP_FIELD)


def model_kind(model: bytes) -> int:
    """1 unigram, 2 BPE, 3 word, 4 char."""
    return int.from_bytes(_inner(model, TRAINER_FIELD, KIND_FIELD), "little") or UNIGRAM


@lru_cache(maxsize=1)  # most models have the same ones
def normalization_rules(compiled: bytes) -> Mapping[str, str]:
    """What is replaced by what, longest first at each place: a double-array trie, then its values ended by zeros."""
    if not compiled:
        return {}
    size = struct.unpack_from("<I", compiled)[0]
    units = np.frombuffer(compiled, "<u4", size // 4, 4).astype(np.int64)
    values = compiled[4 + size :]
    rules: dict[str, str] = {}
    todo = [(np.zeros(1, np.int64), [b""])]
    while todo:
        nodes, keys = todo.pop()
        found = units[nodes]
        bases = nodes ^ (found >> 10 << ((found & 0x200) >> 6))
        for at in np.flatnonzero(found >> 8 & 1).tolist():  # a key ends here
            start = int(units[bases[at]]) & 0x7FFFFFFF
            rules[keys[at].decode()] = values[start : values.index(b"\0", start)].decode()
        children = bases[:, None] ^ LABELS
        there = units[np.minimum(children, len(units) - 1)] & 0x800000FF == LABELS
        parents, steps = np.nonzero(there & (children < len(units)))
        longer = [
            keys[parent] + bytes([step + 1]) for parent, step in zip(parents.tolist(), steps.tolist(), strict=True)
        ]
        after = children[parents, steps]
        todo += [(after[at : at + AT_ONCE], longer[at : at + AT_ONCE]) for at in range(0, len(after), AT_ONCE)]
    return rules


def _inner(model: bytes, outer: int, inner: int) -> bytes:
    """A field of a message within the model, or nothing."""
    for number, _, message, _ in _fields(model):
        if number == outer:
            return next((value for field, _, value, _ in _fields(message) if field == inner), b"")
    return b""


def _piece(message: bytes) -> Piece:
    fields = {number: value for number, _, value, _ in _fields(message)}
    score = struct.unpack("<f", fields.get(SCORE, bytes(4)))[0]
    return Piece(fields.get(TEXT, b"").decode(), score, int.from_bytes(fields.get(KIND, b"\1"), "little"))


def _encoded(piece: Piece) -> bytes:
    body = _field(TEXT, piece.text.encode()) + _tag(SCORE, FIXED32) + struct.pack("<f", piece.score)
    return body if piece.kind == NORMAL else body + _tag(KIND, VARINT) + _varint(piece.kind)


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(number, wire type, value, the whole field as it stands) of each field of a message."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _read_varint(message, at)
        wire = tag & 7
        if wire == VARINT:
            value, end = _read_varint(message, at)
            yield tag >> 3, wire, value.to_bytes(8, "little"), message[start:end]
        elif wire in {LENGTH, FIXED32, FIXED64}:
            size, at = _read_varint(message, at) if wire == LENGTH else (4 if wire == FIXED32 else 8, at)
            end = at + size
            if end > len(message):
                raise ValueError("the file ends inside a field: wanted a SentencePiece model")
            yield tag >> 3, wire, message[at:end], message[start:end]
        else:
            raise ValueError(f"a field of wire type {wire}: wanted a SentencePiece model")
        at = end


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("the file ends inside a number: wanted a SentencePiece model")
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varint(value: int) -> bytes:
    found: list[int] = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _field(number: int, value: bytes) -> bytes:
    return _tag(number, LENGTH) + _varint(len(value)) + value
