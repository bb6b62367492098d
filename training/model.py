"""XLM-R's encoder: post-norm BERT with learned positions from 2 on, exact GELU, no token types (RoBERTa in fairseq)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.vocabulary import PAD

# B batch, T tokens, D hidden, H heads, K head size, V vocabulary, M masked tokens

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

    @property
    def positions(self) -> int:
        """Rows of the position table (514 for 512 tokens)."""
        return self.max_tokens + FIRST_POSITION


def xlmr_tiny(vocabulary_size: int, max_tokens: int = 512) -> EncoderConfig:
    """For a laptop's two cores; ours."""
    return EncoderConfig(vocabulary_size, hidden=128, layers=4, heads=4, feed_forward=512, max_tokens=max_tokens)


def xlmr_base(vocabulary_size: int = 250_002, max_tokens: int = 512) -> EncoderConfig:
    """XLM-R Base: 12 layers, 768 hidden, 12 heads."""
    return EncoderConfig(vocabulary_size, max_tokens=max_tokens)


def xlmr_large(vocabulary_size: int = 250_002, max_tokens: int = 512) -> EncoderConfig:
    """XLM-R: 24 layers, 1024 hidden, 16 heads."""
    return EncoderConfig(vocabulary_size, hidden=1024, layers=24, heads=16, feed_forward=4096, max_tokens=max_tokens)


PRESETS = {"tiny": xlmr_tiny, "base": xlmr_base, "large": xlmr_large}


class Layer(nn.Module):
    """Self-attention and feed-forward, each normalised after its residual."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.heads = config.heads
        self.dropout = config.dropout
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.attended = nn.Linear(hidden, hidden)
        self.attended_norm = nn.LayerNorm(hidden, config.norm_epsilon)
        self.up = nn.Linear(hidden, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, hidden)
        self.down_norm = nn.LayerNorm(hidden, config.norm_epsilon)

    def forward(self, x_BTD: Tensor, mask_B11T: Tensor | None) -> Tensor:
        query_BHTK, key_BHTK, value_BHTK = (
            project(x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        seen_BHTK = functional.scaled_dot_product_attention(
            query_BHTK, key_BHTK, value_BHTK, attn_mask=mask_B11T, dropout_p=dropout
        )
        seen_BTD = self.attended(seen_BHTK.transpose(1, 2).flatten(-2))
        x_BTD = self.attended_norm(x_BTD + functional.dropout(seen_BTD, self.dropout, self.training))
        fed_BTD = self.down(functional.gelu(self.up(x_BTD)))
        normed_BTD: Tensor = self.down_norm(x_BTD + functional.dropout(fed_BTD, self.dropout, self.training))
        return normed_BTD


class Encoder(nn.Module):
    """Ids to hidden states."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocabulary_size, config.hidden, padding_idx=PAD)
        self.positions = nn.Embedding(config.positions, config.hidden, padding_idx=PAD)
        self.norm = nn.LayerNorm(config.hidden, config.norm_epsilon)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.apply(_initialise)

    def forward(self, ids_BT: Tensor, attention_mask_BT: Tensor | None = None) -> Tensor:
        """hidden_BTD.  `attention_mask_BT` is 1 for real tokens; None means that none is padding."""
        tokens = ids_BT.shape[1]
        if tokens > self.config.max_tokens:
            raise ValueError(f"{tokens} tokens in a row, the model has positions for {self.config.max_tokens}: cut it")
        if attention_mask_BT is None:
            places_BT = torch.arange(FIRST_POSITION, FIRST_POSITION + tokens, device=ids_BT.device).expand_as(ids_BT)
            mask_B11T = None
        else:
            real_BT = attention_mask_BT.long()
            places_BT = real_BT.cumsum(1) * real_BT + PAD
            mask_B11T = real_BT.bool()[:, None, None, :]
        x_BTD: Tensor = self.norm(self.words(ids_BT) + self.positions(places_BT))
        x_BTD = functional.dropout(x_BTD, self.config.dropout, self.training)
        for layer in self.layers:
            x_BTD = layer(x_BTD, mask_B11T)
        return x_BTD


class MaskedLanguageModel(nn.Module):
    """The encoder with RoBERTa's head, whose output matrix is the word embedding."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, config.norm_epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        _initialise(self.dense)

    def forward(self, ids_BT: Tensor, positions_M: Tensor) -> Tensor:
        """logits_MV at the given places of the flattened batch; the head sees no other place."""
        hidden_MD = self.encoder(ids_BT).flatten(0, 1)[positions_M]
        return self.head(hidden_MD)

    def head(self, hidden_D: Tensor) -> Tensor:
        x_D = self.norm(functional.gelu(self.dense(hidden_D)))
        return functional.linear(x_D, self.encoder.words.weight, self.bias)


def _initialise(module: nn.Module) -> None:
    """Normal with deviation 0.02, biases 0, rows of padding 0 (fairseq's init_bert_params)."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
