"""XLM-R's encoder: post-norm BERT with learned positions from 2 on, exact GELU, no token types (RoBERTa in fairseq)."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from training.dropout import attention, dropout
from training.head_loss import linear_cross_entropy
from training.ids import PAD
from training.sizes import FIRST_POSITION as FIRST_POSITION  # read with the model
from training.sizes import EncoderConfig as EncoderConfig
from training.sizes import xlmr_tiny as xlmr_tiny

# B batch, T tokens, S slots (places that are predicted), P either T or S, D hidden, E three times D, H heads,
# K head size, V vocabulary, M masked tokens (B times S)


class Layer(nn.Module):
    """Self-attention and feed-forward, each normalised after its residual."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.heads = config.heads
        self.dropout = config.dropout
        self.query_key_value = nn.Linear(hidden, 3 * hidden)  # one product instead of three
        self.attended = nn.Linear(hidden, hidden)
        self.attended_norm = nn.LayerNorm(hidden, config.norm_epsilon)
        self.up = nn.Linear(hidden, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, hidden)
        self.down_norm = nn.LayerNorm(hidden, config.norm_epsilon)

    def forward(self, x_BTD: Tensor, mask_B11T: Tensor | None, places_BS: Tensor | None = None) -> Tensor:
        """The layer's output; only at `places_BS` of the flattened batch where they are given, which is exact: what
        other places look up here are keys and values."""
        if places_BS is None:
            query_BTD, key_BTD, value_BTD = self.query_key_value(x_BTD).chunk(3, -1)
            return self._rest(x_BTD, query_BTD, key_BTD, value_BTD, mask_B11T)
        hidden = x_BTD.shape[-1]
        weight_ED, bias_E = self.query_key_value.weight, self.query_key_value.bias
        x_BSD = x_BTD.flatten(0, 1)[places_BS]
        query_BSD = functional.linear(x_BSD, weight_ED[:hidden], bias_E[:hidden])
        key_BTD, value_BTD = functional.linear(x_BTD, weight_ED[hidden:], bias_E[hidden:]).chunk(2, -1)
        return self._rest(x_BSD, query_BSD, key_BTD, value_BTD, mask_B11T)

    def _rest(
        self, x_BPD: Tensor, query_BPD: Tensor, key_BTD: Tensor, value_BTD: Tensor, mask_B11T: Tensor | None
    ) -> Tensor:
        query_BHPK, key_BHTK, value_BHTK = map(self._by_head, (query_BPD, key_BTD, value_BTD))
        if mask_B11T is None:
            seen_BHPK = attention(query_BHPK, key_BHTK, value_BHTK, self.dropout, self.training)
        else:
            rate = self.dropout if self.training else 0.0
            seen_BHPK = functional.scaled_dot_product_attention(query_BHPK, key_BHTK, value_BHTK, mask_B11T, rate)
        seen_BPD = self.attended(seen_BHPK.transpose(1, 2).flatten(-2))
        x_BPD = self.attended_norm(x_BPD + dropout(seen_BPD, self.dropout, self.training))
        fed_BPD = self.down(functional.gelu(self.up(x_BPD)))
        normed_BPD: Tensor = self.down_norm(x_BPD + dropout(fed_BPD, self.dropout, self.training))
        return normed_BPD

    def _by_head(self, x_BPD: Tensor) -> Tensor:
        return x_BPD.view(*x_BPD.shape[:-1], self.heads, -1).transpose(1, 2)


class Encoder(nn.Module):
    """Ids to hidden states."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.activation_checkpointing = False
        self.words = nn.Embedding(config.vocabulary_size, config.hidden, padding_idx=PAD)
        self.positions = nn.Embedding(config.positions, config.hidden, padding_idx=PAD)
        # fairseq has no token types, Hugging Face one, whose row is zero in XLM-R.  It is kept as it came, not trained.
        self.token_type = nn.Parameter(torch.zeros(1, config.hidden), requires_grad=False)
        self.norm = nn.LayerNorm(config.hidden, config.norm_epsilon)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.apply(_initialise)

    def forward(
        self,
        ids_BT: Tensor,
        attention_mask_BT: Tensor | None = None,
        places_BS: Tensor | None = None,
        also_output: bool = False,
    ) -> Tensor:
        """hidden_BTD, or hidden_BSD at the given places of the flattened batch.

        `attention_mask_BT` is 1 for real tokens; None means that none is padding.  `also_output` says that the word
        embeddings are the head's matrix too, whose gradient is there when this one's few rows are added to it.
        """
        tokens = ids_BT.shape[1]
        if tokens > self.config.max_tokens:
            raise ValueError(f"{tokens} tokens in a row, the model has positions for {self.config.max_tokens}: cut it")
        if attention_mask_BT is None:
            # A slice, the same for each block, and no table look-up.
            places_TD = self.positions.weight[FIRST_POSITION : FIRST_POSITION + tokens] + self.token_type
            mask_B11T = None
        else:
            real_BT = attention_mask_BT.long()
            places_TD = self.positions(real_BT.cumsum(1) * real_BT + PAD) + self.token_type
            mask_B11T = real_BT.bool()[:, None, None, :]
        x_BTD: Tensor = self.norm(self._words(ids_BT, also_output) + places_TD)
        x_BTD = dropout(x_BTD, self.config.dropout, self.training)
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            x_BTD = self._run(layer, x_BTD, mask_B11T, places_BS if last else None)
        return x_BTD

    def _words(self, ids_BT: Tensor, also_output: bool) -> Tensor:
        few_rows = also_output and ids_BT.device.type == "cpu" and not torch.compiler.is_compiling()
        return functional.embedding(ids_BT, self.words.weight, PAD, sparse=few_rows)

    def _run(self, layer: nn.Module, x_BTD: Tensor, mask_B11T: Tensor | None, places_BS: Tensor | None) -> Tensor:
        if self.activation_checkpointing and self.training:
            again: Tensor = checkpoint(layer, x_BTD, mask_B11T, places_BS, use_reentrant=False)
            return again
        once: Tensor = layer(x_BTD, mask_B11T, places_BS)
        return once


class MaskedLanguageModel(nn.Module):
    """The encoder with RoBERTa's head, whose output matrix is the word embedding."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, config.norm_epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        _initialise(self.dense)

    def set_dropout(self, dropout: float) -> None:
        """Of a model that was made with another one."""
        self.encoder.config = replace(self.encoder.config, dropout=dropout)
        for layer in self.encoder.layers:
            cast(Layer, layer).dropout = dropout

    def freeze(self) -> None:
        """After weights were put in place of the first ones."""
        self.encoder.token_type.requires_grad_(False)

    def forward(self, ids_BT: Tensor, places_BS: Tensor, targets_BS: Tensor) -> Tensor:
        """loss_M at the given places of the flattened batch, S of each block; the head sees no other place, and the
        last layer looks from no other."""
        hidden_MD = self.encoder(ids_BT, places_BS=places_BS, also_output=True).flatten(0, 1)
        return linear_cross_entropy(
            self.transform(hidden_MD), self.encoder.words.weight, self.bias, targets_BS.flatten()
        )

    def transform(self, hidden_D: Tensor) -> Tensor:
        x_D: Tensor = self.norm(functional.gelu(self.dense(hidden_D)))
        return x_D

    def head(self, hidden_D: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return functional.linear(self.transform(hidden_D), self.encoder.words.weight, self.bias)


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
