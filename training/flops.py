"""Work per token by the masked-head formula: the head counts on masked places only, embedding look-ups as nothing.

The last layer counts whole, as in others' figures, though its queries and all after them are computed at masked
places only: with 12 layers 5 % of the work that is counted is not done.
"""

from __future__ import annotations

from training.masking import FRACTION
from training.sizes import EncoderConfig


def training_flops_per_token(config: EncoderConfig, tokens: int, fraction: float = FRACTION) -> float:
    """Floating-point operations (a multiply-add is two) of forward and backward for one token of a `tokens` block."""
    hidden, feed_forward, layers = config.hidden, config.feed_forward, config.layers
    body = 2 * layers * (4 * hidden**2 + 2 * hidden * feed_forward)
    attention = 4 * layers * tokens * hidden
    head = 2 * (hidden**2 + hidden * config.vocabulary_size)
    return 3.0 * (body + attention + fraction * head)
