"""The tokenizer of an exported folder: files that Hugging Face's AutoTokenizer reads, with the vocabulary's own ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.composition import SPACE, normalizers
from training.ids import BOS, EOS, PAD, UNK
from training.pieces import BPE, UNIGRAM, charsmap, model_kind, normalization_rules, read_pieces
from training.vocabulary import Vocabulary

BEGIN, PADDING, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIALS = {BEGIN: BOS, PADDING: PAD, END: EOS, UNKNOWN: UNK}


def write_tokenizer(folder: Path, vocabulary: Path, max_tokens: int) -> None:
    """Write tokenizer.json and tokenizer_config.json.

    The ids are SentencePiece's, but for <s>, </s>, <pad>, <unk> and <mask> spelt out in a text, which become special
    ids, as in XLM-R's own tokenizer.  Raises ValueError where the vocabulary is neither unigram nor BPE.
    """
    model = vocabulary.read_bytes()
    Vocabulary.load(vocabulary)  # says it in one line where it is none
    if model_kind(model) not in (UNIGRAM, BPE):
        raise ValueError(f"{vocabulary}: neither a unigram nor a BPE vocabulary: a folder can have no tokenizer of it")
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(model), ensure_ascii=False) + "\n", encoding="utf-8")
    config = {
        # The generic class takes the file as it is; XLMRobertaTokenizer would build its own normalizer.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
        "bos_token": BEGIN, "cls_token": BEGIN, "eos_token": END, "sep_token": END,
        "pad_token": PADDING, "unk_token": UNKNOWN, "mask_token": MASK,
        "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _tokenizer(model: bytes) -> dict[str, Any]:
    pieces = [(piece.text, piece.score) for piece in read_pieces(model)[3:]]
    vocabulary = [*((name, 0.0) for name in SPECIALS), *pieces, (MASK, 0.0)]
    unigram = {"type": "Unigram", "unk_id": UNK, "vocab": vocabulary, "byte_fallback": False}
    compiled = charsmap(model)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(name, number, before=False) for name, number in SPECIALS.items()
        ] + [_added(MASK, len(vocabulary) - 1, before=True)],
        "normalizer": normalizers(compiled, normalization_rules(compiled)),
        "pre_tokenizer": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "never", "split": True},
        "post_processor": _template(),
        "decoder": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True},
        "model": unigram if model_kind(model) == UNIGRAM else _pairs(vocabulary),
    }  # fmt: skip


def _pairs(vocabulary: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """SentencePiece joins the two neighbours that make the piece of the highest score, BPE's merges say which first."""
    ids = {text: number for number, (text, _) in enumerate(vocabulary)}
    ordinary = sorted(vocabulary[len(SPECIALS) : -1], key=lambda piece: -piece[1])
    merges = [
        [text[:cut], text[cut:]]
        for text, _ in ordinary
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]
    return {"type": "BPE", "vocab": ids, "merges": merges, "unk_token": UNKNOWN, "fuse_unk": True,
            "byte_fallback": False, "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "ignore_merges": False}  # fmt: skip


def _added(name: str, number: int, *, before: bool) -> dict[str, Any]:
    """A special token; <mask> takes the space before it along, as in XLM-R."""
    return {"id": number, "content": name, "single_word": False, "lstrip": before, "rstrip": False,
            "normalized": False, "special": True}  # fmt: skip


def _template() -> dict[str, Any]:
    """<s> A </s>, and <s> A </s> </s> B </s>; there are no token types."""

    def special(name: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": 0}}

    def text(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    first = [special(BEGIN), text("A"), special(END)]
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, special(END), text("B"), special(END)],
        "special_tokens": {name: {"id": name, "ids": [SPECIALS[name]], "tokens": [name]} for name in (BEGIN, END)},
    }
