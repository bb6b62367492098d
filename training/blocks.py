"""A language's text as fixed blocks of ids: one stream, </s> after each document, cut without regard to documents.

XLM-R's break mode is not published; whole-stream blocks of one language need no padding (our reading of "streams
of text", paper section 3).  A block on disk lacks <s> and </s>, which the batch adds.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.ids import EOS, UNK
from training.vocabulary import Vocabulary

SPECIALS = 2  # <s> before and </s> after
COUNTS = ("documents", "characters", "words", "tokens", "unknown_tokens", "blocks", "left_over_tokens")
Ids = NDArray[np.uint32]


def write_blocks(documents: Iterable[str], vocabulary: Vocabulary, path: Path, *, block_tokens: int) -> Counter[str]:
    """Write an .npy file of shape (blocks, block_tokens - 2), little-endian uint32.

    Counts documents, characters, words (between spaces), tokens (</s> included), unknown_tokens, blocks,
    left_over_tokens (the end that fills no block): tokens per word and per character are the vocabulary's fertility.
    """
    width = block_tokens - SPECIALS
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    raw = path.with_name(f".{path.name}.raw")
    rest: list[int] = []
    with raw.open("wb") as file:
        for text in documents:
            ids = [i for line in vocabulary.encode_batch(text.split("\n")) for i in line]
            counts["documents"] += 1
            counts["characters"] += len(text)
            counts["words"] += len(text.split())
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


class BlockFiles:
    """The blocks of several files as one array, in the files' order, read through memory maps."""

    def __init__(self, files: Sequence[Ids]) -> None:
        self._files = files
        self._ends = np.cumsum([len(file) for file in files]) if files else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, block: int) -> Ids:
        """The ids of one block, 0 <= block < len."""
        if not 0 <= block < len(self):
            raise IndexError(f"block {block} of {len(self)}")
        file = int(np.searchsorted(self._ends, block, "right"))
        before = int(self._ends[file - 1]) if file else 0
        ids: Ids = self._files[file][block - before]
        return ids


def open_blocks(paths: Path | Sequence[Path], block_tokens: int) -> BlockFiles:
    """The blocks of one file or of several.  Raises ValueError where one is cut off or has another width."""
    return BlockFiles([_map(path, block_tokens) for path in ([paths] if isinstance(paths, Path) else paths)])


def _map(path: Path, block_tokens: int) -> Ids:
    try:
        blocks: Ids = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: no whole .npy file of blocks ({error}): encode again") from error
    if blocks.ndim != 2 or blocks.shape[1] != block_tokens - SPECIALS or blocks.dtype != np.dtype("<u4"):
        raise ValueError(
            f"{path}: {blocks.dtype} blocks of shape {blocks.shape}, wanted <u4 (any, {block_tokens - SPECIALS}): "
            "encode again"
        )
    return blocks
