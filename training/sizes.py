"""Sizes of encoders: those of XLM-R by name, and others made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.ids import PAD

FIRST_POSITION = PAD + 1  # fairseq: positions follow the padding id


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes of an encoder."""

    vocabulary_size: int
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    max_tokens: int = 512
    dropout: float = 0.1
    norm_epsilon: float = 1e-5
    trained_tokens: int = 0  # longest blocks that the positions were trained on; 0: not known, all

    @property
    def positions(self) -> int:
        """Rows of the position table (514 for 512 tokens)."""
        return self.max_tokens + FIRST_POSITION

    @property
    def usable_tokens(self) -> int:
        """Longest input whose positions were all trained."""
        return self.trained_tokens or self.max_tokens


def xlmr_tiny(vocabulary_size: int, max_tokens: int = 512) -> EncoderConfig:
    """For a laptop's two cores; ours."""
    return EncoderConfig(vocabulary_size, hidden=128, layers=4, heads=4, feed_forward=512, max_tokens=max_tokens)


def xlmr_base(vocabulary_size: int = 250_002, max_tokens: int = 512) -> EncoderConfig:
    """XLM-R Base: 12 layers, 768 hidden, 12 heads."""
    return EncoderConfig(vocabulary_size, max_tokens=max_tokens)


def xlmr_large(vocabulary_size: int = 250_002, max_tokens: int = 512) -> EncoderConfig:
    """XLM-R: 24 layers, 1024 hidden, 16 heads."""
    return EncoderConfig(vocabulary_size, hidden=1024, layers=24, heads=16, feed_forward=4096, max_tokens=max_tokens)


def widened(config: EncoderConfig, hidden: int) -> EncoderConfig:
    """The same depth and heads at another width; the feed-forward part keeps its proportion.  Raises ValueError."""
    if hidden % config.heads:
        raise ValueError(f"a width of {hidden} for {config.heads} heads: wanted a multiple")
    return replace(config, hidden=hidden, feed_forward=config.feed_forward * hidden // config.hidden)


PRESETS = {"tiny": xlmr_tiny, "base": xlmr_base, "large": xlmr_large}
