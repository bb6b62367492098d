"""Encoders by folder: our exported ones with our own code, any other Hugging Face encoder with its own tokenizer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evaluation.readers.folders import digest
from evaluation.records import DataError
from training.export import load_encoder
from training.model import FIRST_POSITION, Encoder
from training.vocabulary import BOS, EOS, PAD, PIECES, UNK, Vocabulary

log = logging.getLogger(__name__)

# B batch, T tokens, S places, D hidden

# Their position table has rows before the first token's, as fairseq's (padding id + 1).
POSITIONS_AFTER_PADDING = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "xmod")
ENDLESS = 1_000_000  # tokenizers without a limit state 1e30


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens around one text, or around and between two, with the token type of each place."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)  # before, first, between, second, after

    @property
    def size(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def join(self, first: Sequence[int], second: Sequence[int] = ()) -> tuple[int, ...]:
        return (*self.before, *first, *self.between, *second, *self.after)

    def join_types(self, first: int, second: int = 0) -> tuple[int, ...]:
        """Token types of a joined row whose parts have these lengths; empty where all are 0."""
        if not any(self.types):
            return ()
        sizes = (len(self.before), first, len(self.between), second, len(self.after))
        return tuple(kind for kind, size in zip(self.types, sizes, strict=True) for _ in range(size))


class Tokenizer(Protocol):
    """Texts to ids without special tokens, and the frames that the model was trained with."""

    pad: int
    unknown: int
    single: Frame
    pair: Frame

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def encode_words(self, words: Sequence[str]) -> list[list[int]]:
        """Each word as it stands inside a sentence."""
        ...

    def encode_with_offsets(self, text: str) -> list[tuple[int, int, int]]:
        """(id, first character, character after the last) of each token."""
        ...


@dataclass(slots=True)
class LoadedEncoder:
    """`layers(ids, mask, types)` gives the hidden states of all layers, `model` those of the last.

    `max_tokens` is the longest row that the model was trained on, as far as its folder says.
    """

    model: nn.Module
    tokenizer: Tokenizer
    hidden: int
    dropout: float
    max_tokens: int
    digest: str


def load(folder: Path) -> LoadedEncoder:
    """Raises DataError for a folder that holds no encoder."""
    path = folder / "config.json"
    if not path.is_file():
        raise DataError(f"{path}: no such file: wanted a Hugging Face folder with config.json, weights and tokenizer")
    try:
        config: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: {error}: wanted a model's settings as JSON") from error
    return _load_native(folder, config) or _load_hugging_face(folder, config)


def stated_length(folder: Path, config: dict[str, Any], positions: int) -> int:
    """The least of what the folder states: positions, the tokenizer's length, and the trained length."""
    lengths = [positions, config.get("trained_tokens") or ENDLESS]
    path = folder / "tokenizer_config.json"
    if path.is_file():
        lengths.append(int(json.loads(path.read_text(encoding="utf-8")).get("model_max_length") or ENDLESS))
    return min(int(length) for length in lengths if length > 0)


class NativeTokenizer:
    """Our vocabulary; pairs are <s> first </s></s> second </s> as in fairseq; no token types."""

    pad, unknown = PAD, UNK
    single = Frame((BOS,), (), (EOS,))
    pair = Frame((BOS,), (EOS, EOS), (EOS,))

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self._vocabulary.encode_batch(texts)

    encode_words = encode

    def encode_with_offsets(self, text: str) -> list[tuple[int, int, int]]:
        return self._vocabulary.encode_with_offsets(text)


class NativeEncoder(nn.Module):
    """Our encoder with a mask that is left out where no row is padded."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> Tensor:
        hidden_BTD: Tensor = self.encoder(ids_BT, mask_BT)
        return hidden_BTD

    def first(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> Tensor:
        """hidden_BD of the first token; the last layer looks from no other."""
        rows, tokens = ids_BT.shape
        places_BS = torch.arange(0, rows * tokens, tokens, device=ids_BT.device)[:, None]
        hidden_BSD: Tensor = self.encoder(ids_BT, mask_BT, places_BS)
        return hidden_BSD[:, 0]

    def layers(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> list[Tensor]:
        """Embeddings first, then each layer's output."""
        found: list[Tensor] = []
        first, rest = self.encoder.layers[0], list(self.encoder.layers)
        hooks = [first.register_forward_pre_hook(lambda module, given: found.append(given[0]))]
        hooks += [layer.register_forward_hook(lambda module, given, made: found.append(made)) for layer in rest]
        try:
            self.encoder(ids_BT, mask_BT)
        finally:
            for hook in hooks:
                hook.remove()
        return found


def _load_native(folder: Path, config: dict[str, Any]) -> LoadedEncoder | None:
    """An XLM-R that our own encoder and vocabulary read; None for any other."""
    if not (folder / PIECES).is_file():
        return None
    try:
        encoder, sizes = load_encoder(folder)
    except ValueError as error:
        log.info("%s: not read by our own encoder: %s", folder, error)
        return None
    return LoadedEncoder(
        model=NativeEncoder(encoder),
        tokenizer=NativeTokenizer(Vocabulary.load(folder / PIECES)),
        hidden=sizes.hidden,
        dropout=sizes.dropout,
        max_tokens=stated_length(folder, config, sizes.max_tokens),
        digest=digest(_weights(folder)),
    )


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin"))


class HuggingFaceTokenizer:
    """A fast tokenizer of a Hugging Face folder; its frames are read from what it makes of a probe."""

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise DataError(f"{tokenizer.name_or_path}: wanted a fast tokenizer (tokenizer.json): answers and words "
                            "are found by its offsets")  # fmt: skip
        self._tokenizer = tokenizer
        self.pad = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
        self.unknown = int(tokenizer.unk_token_id if tokenizer.unk_token_id is not None else self.pad)
        self.single, self.pair = self._frame("a"), self._frame("a", "b")
        # Byte-level tokenizers write the space before a word into it: "b" alone is another token than in "a b".
        alone, inside = self.encode(["b", " b"])
        self._space = alone != inside and self.encode(["a b"])[0][-len(inside) :] == inside

    def _frame(self, *texts: str) -> Frame:
        made = self._tokenizer(*texts, return_token_type_ids=True)
        ids, sides, kinds = made["input_ids"], made.sequence_ids(0), made["token_type_ids"]
        last = len(texts) - 1
        first_text, end = sides.index(0), len(sides) - sides[::-1].index(last)
        between = [i for i in range(first_text, end) if sides[i] is None]
        before, after = range(first_text), range(end, len(ids))

        def kind(places: Sequence[int]) -> int:
            return int(kinds[places[0]]) if places else 0

        second = [i for i, side in enumerate(sides) if side == 1]
        parts = (before, [first_text], between, second, after)
        return Frame(
            tuple(ids[i] for i in before),
            tuple(ids[i] for i in between),
            tuple(ids[i] for i in after),
            tuple(kind(list(part)) for part in parts),  # type: ignore[arg-type]
        )

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return found

    def encode_words(self, words: Sequence[str]) -> list[list[int]]:
        return self.encode([f" {word}" for word in words] if self._space else words)

    def encode_with_offsets(self, text: str) -> list[tuple[int, int, int]]:
        made = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = []
        for token, (first, last) in zip(made["input_ids"], made["offset_mapping"], strict=True):
            while first < last and text[first].isspace():
                first += 1
            spans.append((token, first, last))
        return spans


class HuggingFaceEncoder(nn.Module):
    """An AutoModel; token types are passed where it knows them."""

    def __init__(self, model: nn.Module, types: bool) -> None:
        super().__init__()
        self.model = model
        self._types = types

    def _run(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None, hidden: bool) -> Any:
        given = {"token_type_ids": types_BT} if self._types and types_BT is not None else {}
        mask_BT = torch.ones_like(ids_BT) if mask_BT is None else mask_BT.long()
        return self.model(input_ids=ids_BT, attention_mask=mask_BT, output_hidden_states=hidden, **given)

    def forward(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> Tensor:
        hidden_BTD: Tensor = self._run(ids_BT, mask_BT, types_BT, False).last_hidden_state
        return hidden_BTD

    def first(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> Tensor:
        """hidden_BD of the first token."""
        return self(ids_BT, mask_BT, types_BT)[:, 0]  # type: ignore[no-any-return]

    def layers(self, ids_BT: Tensor, mask_BT: Tensor | None, types_BT: Tensor | None) -> list[Tensor]:
        return list(self._run(ids_BT, mask_BT, types_BT, True).hidden_states)


def _load_hugging_face(folder: Path, stated: dict[str, Any]) -> LoadedEncoder:
    from safetensors import SafetensorError
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    if "auto_map" in stated and stated.get("model_type") not in CONFIG_MAPPING:
        raise DataError(f"{folder}: {stated.get('model_type')!r} needs the model's own code, which is not run: wanted "
                        "an architecture that transformers itself has")  # fmt: skip
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(folder), **given)
        _check_is_encoder(folder, config)
        found = AutoTokenizer.from_pretrained(str(folder), **given)
        _check_has_vocabulary(folder, found)
        tokenizer = HuggingFaceTokenizer(found)
        model, loaded = AutoModel.from_pretrained(str(folder), dtype=torch.float32, output_loading_info=True, **given)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        said = (str(error) or repr(error)).splitlines()[0]
        raise DataError(f"{folder}: {said}: wanted a Hugging Face folder with an encoder and its tokenizer") from error
    _check_is_whole(folder, model, loaded["missing_keys"], len(found))
    positions = int(getattr(config, "max_position_embeddings", 0) or ENDLESS)
    if config.model_type in POSITIONS_AFTER_PADDING:
        positions -= int(config.pad_token_id if config.pad_token_id is not None else FIRST_POSITION - 1) + 1
    types = int(getattr(config, "type_vocab_size", 0) or 0) > 1
    return LoadedEncoder(
        model=HuggingFaceEncoder(model, types),
        tokenizer=tokenizer,
        hidden=int(config.hidden_size),
        dropout=_dropout(config),
        max_tokens=stated_length(folder, config.to_dict(), positions),
        digest=digest(_weights(folder)),
    )


def _check_is_encoder(folder: Path, config: Any) -> None:
    """A decoder's tokens see only those before them, so its first token says nothing about a text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    masked = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if not masked or config.is_encoder_decoder or getattr(config, "is_decoder", False):
        raise DataError(f"{folder}: {config.model_type!r} is no encoder: wanted a masked language model, such as XLM-R")


def _check_has_vocabulary(folder: Path, tokenizer: Any) -> None:
    """Without its files transformers makes an empty tokenizer, to which every word is unknown."""
    names = sorted({"tokenizer.json", *tokenizer.vocab_files_names.values()})
    if not any((folder / name).is_file() for name in names):
        raise DataError(
            f"{folder}: no {' or '.join(names)}: wanted a Hugging Face folder with an encoder and its tokenizer"
        )


def _check_is_whole(folder: Path, model: Any, missing: Iterable[str], tokens: int) -> None:
    """Weights that a file lacks would be random; only the pooler's are not used here."""
    lacking = sorted(name for name in missing if "pooler" not in name)
    if lacking:
        raise DataError(f"{folder}: its weights lack {lacking[0]} and {len(lacking) - 1} others: wanted all of them")
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < tokens:
        raise DataError(f"{folder}: {rows} embeddings for the {tokens} tokens of its tokenizer: wanted one for each")


def _dropout(config: Any) -> float:
    """Of the output layer, as the model's own classification head has it."""
    for name in ("classifier_dropout", "hidden_dropout_prob", "dropout"):
        value = getattr(config, name, None)
        if value is not None:
            return float(value)
    return 0.1
