"""XLM-R's ids: special tokens, then SentencePiece's pieces shifted by one, <mask> last (fairseq's dictionary)."""

from __future__ import annotations

BOS, PAD, EOS, UNK = 0, 1, 2, 3
FIRST_PIECE = 4
SHIFT = 1  # SentencePiece has <unk> 0, <s> 1, </s> 2
