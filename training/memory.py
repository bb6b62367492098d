"""Memory of one process of a run, computed from its settings: what a GPU must hold before anything is started.

Terms of a step at its peak, without the allocator's rounding and without torch.compile, which only saves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.masking import FRACTION
from training.recipes import parameters_of
from training.settings import PretrainSettings
from training.sizes import PRESETS, EncoderConfig, widened

FLOAT32 = 4
LOGITS_COPIES = 3  # float32: logits, their log-softmax, its gradient


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one process."""

    weights: int
    gradients: int
    optimizer: int
    products: int  # weights in the precision of products, kept from forward to backward
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.products + self.activations + self.logits

    def __str__(self) -> str:
        names = ("weights", "gradients", "optimizer", "products", "activations", "logits")
        parts = ", ".join(f"{name} {getattr(self, name) / 1e9:.2f}" for name in names)
        return f"{self.total / 1e9:.2f} GB a process, computed ({parts})"


def memory_of(config: EncoderConfig, settings: PretrainSettings, processes: int, on_gpu: bool) -> Memory:
    """Of a run by that many processes; on a CPU, attention with dropout keeps more than this."""
    half = settings.precision == "bfloat16" or (settings.precision == "auto" and on_gpu)
    size = 2 if half else FLOAT32
    parameters = parameters_of(config)
    share = settings.batch_blocks // processes
    blocks = min(settings.micro_batch_blocks or share, share)
    tokens = blocks * settings.block_tokens
    layer = parameters_of(replace(config, layers=config.layers + 1)) - parameters
    whole = parameters - layer * config.layers  # the root's group: embeddings and head
    split = processes if settings.sharding == "full" else 1
    weights = parameters if split == 1 else parameters // split + whole + 2 * layer  # one layer ahead of another
    summed = split > 1 and blocks < share  # gradients stay whole until the last part
    gradients = parameters if split == 1 or summed else parameters // split + whole + layer
    kept = activation_bytes(config, size, settings.dropout > 0)
    per_token = config.layers * kept
    if settings.activation_checkpointing:
        per_token = config.layers * FLOAT32 * config.hidden + kept
    predicted = round(FRACTION * tokens)
    copies = LOGITS_COPIES * FLOAT32 + (size if half else 0)
    return Memory(
        weights=FLOAT32 * weights,
        gradients=FLOAT32 * gradients,
        optimizer=2 * FLOAT32 * (parameters // split),
        products=size * parameters if half else 0,
        activations=tokens * per_token,
        logits=predicted * config.vocabulary_size * copies,
    )


def activation_bytes(config: EncoderConfig, size: int, dropout: bool) -> int:
    """What one layer keeps of a token for the backward pass; `size` is that of a product's numbers.

    Kept are the inputs and outputs of products (input, query, key, value, what attention saw, input of the
    feed-forward part: 6 D; the feed-forward part before and after GELU: 2 F), the inputs of both norms in float32 and,
    with dropout, a byte for each place of two masks.
    """
    hidden = config.hidden
    copied = hidden if size != FLOAT32 else 0  # the layer's input in the precision of products, beside float32's
    products = size * (5 * hidden + copied + 2 * config.feed_forward)
    norms = 2 * FLOAT32 * hidden
    return products + norms + (2 * hidden if dropout else 0)


def encoder_of(settings: PretrainSettings, vocabulary_size: int) -> EncoderConfig:
    """The sizes of a run that begins with new weights."""
    config = PRESETS[settings.model](vocabulary_size, max_tokens=max(512, settings.block_tokens))
    return widened(config, settings.hidden or config.hidden)
