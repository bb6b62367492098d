"""A fastText classifier read from its own file, and asked for many texts at once.

Several times faster than fastText's predict and equal to it but for the last bits of a float; whoever rounds the
scores asks fastText itself where those bits could matter (`ccnet/identify.py`).  Format: fastText's version 12
(facebookresearch/fastText, dictionary.cc, quantmatrix.cc, productquantizer.cc).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ccnet import _fasttext

MAGIC, VERSION = 793712314, 12
ARGUMENTS = ("dim", "ws", "epoch", "min_count", "neg", "word_ngrams", "loss", "model", "bucket", "min_n", "max_n",
             "lr_update_rate")  # fmt: skip
HIERARCHICAL, SOFTMAX, SUPERVISED = 1, 3, 3
CENTROIDS = 256
WORD = 0
UNREACHABLE = 10**15  # fastText's count of a node that is not built yet
LOG_FLOOR = 1e-5  # fastText adds it before every logarithm

Rows = NDArray[np.float32]


class UnknownModel(ValueError):
    """A model that fastText may read but this module does not."""


class CutModel(UnknownModel):
    """A model that ends too early: fastText itself may crash on it."""


@dataclass(frozen=True, slots=True)
class _Dictionary:
    words: list[bytes]
    labels: list[str]
    label_counts: list[int]
    pruned: bool
    pairs: NDArray[np.int32]


class FastTextModel:
    """Labels and the scores of the best two for texts without newlines."""

    def __init__(self, path: Path) -> None:
        """Raises UnknownModel for a model of another kind: not supervised, word n-grams, quantised output."""
        with path.open("rb") as file:
            options = _options(file)
            dictionary = _dictionary(file)
            rows = _input_rows(file)
            if file.read(1) != b"\0":
                raise UnknownModel("its output layer is quantised")
            self._output = _dense(file)
        words = len(dictionary.words)
        if len(rows) != words + (len(dictionary.pairs) if dictionary.pruned else options["bucket"]):
            raise UnknownModel(f"{len(rows)} rows do not fit {words} words")
        self.labels = dictionary.labels
        self._dim = options["dim"]
        self._paths = _paths(dictionary.label_counts) if options["loss"] == HIERARCHICAL else None
        ends = np.cumsum([len(word) for word in dictionary.words], dtype=np.int64)
        self._model = _fasttext.load(
            b"".join(dictionary.words), ends, rows, self._dim, options["min_n"], options["max_n"], words,
            options["bucket"], dictionary.pruned, dictionary.pairs,
        )  # fmt: skip

    def best(self, texts: Sequence[str]) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
        """Of each text the best label's index, its score, the second best score; NaN where fastText must be asked."""
        hidden = np.empty((len(texts), self._dim), np.float32)
        _fasttext.hidden(self._model, [text.encode("utf-8", "surrogatepass") for text in texts], hidden)
        scores = self._scores(hidden.astype(np.float64))
        best = np.nan_to_num(scores).argmax(axis=1)
        rows = np.arange(len(texts))
        first = scores[rows, best]
        scores[rows, best] = -1
        return best.tolist(), first, scores.max(axis=1)

    def _scores(self, hidden: NDArray[np.float64]) -> NDArray[np.float64]:
        """[texts, labels]: fastText's exp(log p), with the floor that it adds under each logarithm."""
        logits = hidden @ self._output.T
        if self._paths is None:
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True) + LOG_FLOOR, np.float64)
        left, right = self._paths
        with np.errstate(over="ignore"):  # of a certain branch: 1 / inf is the 0 that is meant
            share = 1 / (1 + np.exp(-logits[:, : left.shape[1]]))
        logs = np.log(1 - share + LOG_FLOOR) @ left.T + np.log(share + LOG_FLOOR) @ right.T
        return np.asarray(np.exp(logs), np.float64)


def _options(file: BinaryIO) -> dict[str, int]:
    if struct.unpack("<ii", _exactly(file, 8)) != (MAGIC, VERSION):
        raise UnknownModel("no fastText model of version 12")
    options = dict(zip(ARGUMENTS, struct.unpack("<12i", _exactly(file, 48)), strict=True))
    _exactly(file, 8)  # sampling threshold
    if options["model"] != SUPERVISED or options["loss"] not in (HIERARCHICAL, SOFTMAX) or options["word_ngrams"] != 1:
        raise UnknownModel("no supervised model of single words with softmax or hierarchical softmax")
    return options


def _dictionary(file: BinaryIO) -> _Dictionary:
    size, word_count, _, _, pruned = struct.unpack("<iiiqq", _exactly(file, 28))
    words: list[bytes] = []
    labels, counts = [], []
    for _ in range(size):
        name = _until_zero(file)
        count, kind = struct.unpack("<qb", _exactly(file, 9))
        if kind == WORD:
            words.append(name)
        else:
            labels.append(name.decode("utf-8"))
            counts.append(count)
    if len(words) != word_count:
        raise UnknownModel("its dictionary is damaged")
    pairs = np.frombuffer(_exactly(file, 8 * max(pruned, 0)), "<i4")
    return _Dictionary(words, labels, counts, pruned >= 0, np.ascontiguousarray(pairs.reshape(-1, 2)))


def _input_rows(file: BinaryIO) -> Rows:
    if _exactly(file, 1) == b"\0":
        return _dense(file)
    norms, rows, columns, size = struct.unpack("<?qqi", _exactly(file, 21))
    codes = np.frombuffer(_exactly(file, size), np.uint8).reshape(rows, -1)
    decoded = _decode(codes, _centroids(file))[:, :columns]
    if norms:
        norm_codes = np.frombuffer(_exactly(file, rows), np.uint8).reshape(rows, 1)
        decoded = decoded * _decode(norm_codes, _centroids(file))
    return np.ascontiguousarray(decoded, np.float32)


def _centroids(file: BinaryIO) -> list[Rows]:
    """Of each sub-quantiser the 256 vectors that its codes stand for."""
    dim, quantizers, width, last = struct.unpack("<iiii", _exactly(file, 16))
    flat = np.frombuffer(_exactly(file, 4 * dim * CENTROIDS), "<f4")
    step = CENTROIDS * width
    return [flat[i * step : i * step + CENTROIDS * (width if i + 1 < quantizers else last)].reshape(CENTROIDS, -1)
            for i in range(quantizers)]  # fmt: skip


def _decode(codes: NDArray[np.uint8], centroids: Sequence[Rows]) -> Rows:
    return np.concatenate([table[codes[:, i]] for i, table in enumerate(centroids)], axis=1)


def _dense(file: BinaryIO) -> Rows:
    rows, columns = struct.unpack("<qq", _exactly(file, 16))
    return np.frombuffer(_exactly(file, 4 * rows * columns), "<f4").reshape(rows, columns)


def _paths(counts: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """fastText's Huffman tree: [labels, inner nodes], 1 where a label lies left (right) of a node."""
    leaves = len(counts)
    total = [*counts, *[UNREACHABLE] * (leaves - 1)]
    left = np.zeros((2 * leaves - 1, leaves - 1))
    right = np.zeros_like(left)
    below: list[list[int]] = [[leaf] for leaf in range(leaves)]
    leaf, node = leaves - 1, leaves
    for inner in range(leaves - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and total[leaf] < total[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        first, second = children
        left[below[first], inner] = 1
        right[below[second], inner] = 1
        below.append(below[first] + below[second])
        total[leaves + inner] = total[first] + total[second]
    return left[:leaves], right[:leaves]


def _until_zero(file: BinaryIO) -> bytes:
    name = bytearray()
    while (byte := _exactly(file, 1)) != b"\0":
        name += byte
    return bytes(name)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise CutModel("the file ends too early")
    return data
