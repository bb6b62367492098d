"""A language's text as fixed blocks of ids: one stream, </s> after each document, cut without regard to documents.

XLM-R's break mode is not published; whole-stream blocks of one language need no padding (our reading of "streams
of text", paper section 3).  A block on disk lacks <s> and </s>, which the batch adds.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.vocabulary import EOS, UNK, Vocabulary

SPECIALS = 2  # <s> before and </s> after
Ids = NDArray[np.uint32]


def write_blocks(documents: Iterable[str], vocabulary: Vocabulary, path: Path, *, block_tokens: int) -> Counter[str]:
    """Write an .npy file of shape (blocks, block_tokens - 2), little-endian uint32.

    Counts documents, tokens (</s> included), unknown_tokens, blocks, left_over_tokens (the end that fills no block).
    """
    width = block_tokens - SPECIALS
    counts: Counter[str] = Counter(documents=0, tokens=0, unknown_tokens=0, blocks=0, left_over_tokens=0)
    raw = path.with_name(f".{path.name}.raw")
    rest: list[int] = []
    with raw.open("wb") as file:
        for text in documents:
            ids = [i for line in vocabulary.encode_batch(text.split("\n")) for i in line]
            counts["documents"] += 1
            counts["tokens"] += len(ids) + 1
            counts["unknown_tokens"] += ids.count(UNK)
            rest += [*ids, EOS]
            whole = len(rest) // width
            file.write(np.asarray(rest[: whole * width], "<u4").tobytes())
            counts["blocks"] += whole
            rest = rest[whole * width :]
    counts["left_over_tokens"] = len(rest)
    _with_header(raw, path, (counts["blocks"], width))
    return counts


def _with_header(raw: Path, path: Path, shape: tuple[int, int]) -> None:
    with path.open("wb") as file, raw.open("rb") as body:
        header = {"descr": "<u4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        shutil.copyfileobj(body, file)
    raw.unlink()


def open_blocks(path: Path, block_tokens: int) -> Ids:
    """The blocks as a memory map.  Raises ValueError where they have another width."""
    blocks: Ids = np.load(path, mmap_mode="r")
    if blocks.ndim != 2 or blocks.shape[1] != block_tokens - SPECIALS:
        raise ValueError(
            f"{path}: blocks of shape {blocks.shape}, wanted (any, {block_tokens - SPECIALS}): encode again"
        )
    return blocks
