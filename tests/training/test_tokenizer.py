"""The exported tokenizer gives the vocabulary's ids: on any text but the names of the special tokens."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from tests.training.runs import TEXTS
from training.ids import BOS, EOS
from training.pieces import charsmap, normalization_rules, read_pieces, with_exact_scores, with_pieces
from training.tokenizer import write_tokenizer
from training.vocabulary import Vocabulary, sample_lines, train_on_samples

# Letters, CJK and Hangul; spaces and marks that vanish or part words; combining marks; half-width katakana.
RANGES = ((0xA0, 0x3000), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xF900, 0xFFF0))
KINDS = (
    [chr(point) for point in range(32, 127)],
    [chr(point) for start, end in RANGES for point in range(start, end)],
    list(" \u3000\u200b\u00ad\ufeff\u2581\u2028\t\n\r\x85\x00\x01\u200d\ufe0f"),
    [chr(point) for point in range(0x300, 0x345)],
    list("\u064b\u064e\u0651\u05bc\u05b0\u093c\u3099\u309a\u1161\u11a8\u0e33"),
    [chr(point) for point in range(0xFF61, 0xFFA0)],
)


def strings(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choice(chance.choice(KINDS)) for _ in range(chance.randint(0, 24))) for _ in range(count)]


@pytest.fixture(scope="module")
def tokenizer(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "config.json").write_text('{"model_type": "xlm-roberta"}')
    write_tokenizer(folder, vocabulary.model, max_tokens=128)
    return AutoTokenizer.from_pretrained(str(folder))


def differing(tokenizer: Any, vocabulary: Vocabulary, texts: list[str]) -> list[str]:
    theirs = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [text for text, ids in zip(texts, theirs, strict=True) if ids != vocabulary.encode(text)]


def test_ids_are_the_vocabularys_on_plain_text(tokenizer: Any, vocabulary: Vocabulary) -> None:
    assert len(tokenizer) == len(vocabulary)
    assert tokenizer("The house")["input_ids"] == [BOS, *vocabulary.encode("The house"), EOS]
    assert differing(tokenizer, vocabulary, [*TEXTS["en"], *TEXTS["sw"], "", " ", "\u2581", "a \u2581 b \u2581"]) == []


@pytest.mark.slow
def test_ids_are_the_vocabularys_on_20_000_random_strings(tokenizer: Any, vocabulary: Vocabulary) -> None:
    assert differing(tokenizer, vocabulary, strings(20_000, seed=1)) == []


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Vocabulary]:
    """A vocabulary in which each character of the normalised forms is a piece, so that no <unk> hides a difference."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("many")
    (folder / "config.json").write_text('{"model_type": "xlm-roberta"}')
    composed = "カガキギハバパヒビピウヴ\u3099\u309a각가나\u11a8\u1161\u1100éếẹ\u0301\u0302\u0323كًَّבּקक\u093cक़"
    sample_lines([" ".join(composed), *TEXTS["en"]], 1.0, "", folder / "lines.txt")
    train_on_samples([folder / "lines.txt"], folder / "model", size=140, character_coverage=1.0)
    write_tokenizer(folder, folder / "model", max_tokens=128)
    return AutoTokenizer.from_pretrained(str(folder)), Vocabulary.load(folder / "model")


@pytest.mark.parametrize(
    "text",
    [
        "ｶﾞｷﾞﾊﾟｳﾞｶ",  # half-width katakana, voiced by a second character
        "か\u3099カ\u3099",  # letters of three bytes with a combining mark
        "\u1100\u1161\u11a8\u1100\u1161나\u11a8",  # Hangul from its parts; a whole syllable takes no more
        "e\u0302\u0301 ê\u0301 e\u0323\u0302 e\u0302\u0323",  # Vietnamese: only the first and the third are one letter
        "ﬁ\u0301e\u0301",  # a ligature with a mark, which must not vanish
        "ك\u0651\u064e ב\u05bc\u05b0 ",  # marks in another order than Unicode's canonical one stay in it
        "क\u093cक़ q\u0323\u0301",
    ],
)
def test_what_is_composed_and_what_is_not(many: tuple[Any, Vocabulary], text: str) -> None:
    tokenizer, vocabulary = many
    assert differing(tokenizer, vocabulary, [text]) == []


def test_equal_scores_are_settled_alike(many: tuple[Any, Vocabulary]) -> None:
    """Pieces whose scores add up to the same by two ways, and would not in float32 without being rounded."""
    tokenizer, vocabulary = many
    scores = [piece.score for piece in read_pieces(vocabulary.model.read_bytes())]
    assert all((score * 256).is_integer() for score in scores)
    assert differing(tokenizer, vocabulary, ["".join(TEXTS["en"][n : n + 5]) for n in range(100)]) == []


def test_names_of_special_tokens_in_a_text_become_them_as_in_xlm_r(tokenizer: Any, vocabulary: Vocabulary) -> None:
    assert tokenizer("<mask>", add_special_tokens=False)["input_ids"] == [vocabulary.mask_id]
    assert tokenizer("a </s>", add_special_tokens=False)["input_ids"][-1] == EOS
    assert vocabulary.mask_id not in vocabulary.encode("<mask>")
    assert EOS not in vocabulary.encode("a </s>")


def test_pairs_and_limits_are_xlm_rs(tokenizer: Any, vocabulary: Vocabulary) -> None:
    one, other = vocabulary.encode("The house"), vocabulary.encode("a bird")
    assert tokenizer("The house", "a bird")["input_ids"] == [BOS, *one, EOS, EOS, *other, EOS]
    assert "token_type_ids" not in tokenizer("The house", "a bird")
    assert tokenizer.model_max_length == 128
    assert tokenizer.decode(one) == "The house"


def test_a_bpe_vocabulary_is_exported_with_its_own_ids(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    sample_lines([*TEXTS["en"], *TEXTS["sw"], "aaaa abababa ananas banana"], 1.0, "", tmp_path / "lines.txt")
    train_on_samples([tmp_path / "lines.txt"], tmp_path / "model", size=120, kind="bpe")
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    write_tokenizer(tmp_path, tmp_path / "model", max_tokens=128)
    tokenizer, bpe = AutoTokenizer.from_pretrained(str(tmp_path)), Vocabulary.load(tmp_path / "model")
    chance = random.Random(1)
    letters = ["".join(chance.choice("aeinstrho m\u2581") for _ in range(30)) for _ in range(1000)]
    assert differing(tokenizer, bpe, [*TEXTS["en"], *TEXTS["sw"], *letters, *strings(1000, seed=2)]) == []


def test_a_vocabulary_of_words_is_not_exported(tmp_path: Path) -> None:
    words = tmp_path / "words"
    with words.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS["en"]), model_writer=file, model_type="word", vocab_size=20, minloglevel=2
        )
    with pytest.raises(ValueError, match="neither a unigram nor a BPE vocabulary"):
        write_tokenizer(tmp_path, words, max_tokens=128)


# --- the model file


def test_a_model_file_is_written_as_it_was_read(vocabulary: Vocabulary) -> None:
    model = vocabulary.model.read_bytes()
    pieces = read_pieces(model)
    assert [piece.text for piece in pieces[:3]] == ["<unk>", "<s>", "</s>"]
    assert with_pieces(model, pieces) == model == with_exact_scores(model)
    known = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert [(p.text, p.score) for p in pieces] == [
        (known.id_to_piece(i), known.get_score(i)) for i in range(len(pieces))
    ]


def test_the_rules_are_those_that_the_model_applies(vocabulary: Vocabulary) -> None:
    rules = normalization_rules(charsmap(vocabulary.model.read_bytes()))
    assert rules["ｶﾞ"] == "ガ"
    assert rules["\u3000"] == " "
    assert rules["\u200b"] == " "
    assert len(rules) > 200_000
    known = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary.model))
    for key in random.Random(1).sample(sorted(rules), 300):
        assert known.normalize(f"a{key}b") == "\u2581" + "\u2581".join(f"a{rules[key]}b".split(" "))


@pytest.mark.parametrize("content", [b"", b"\x0a\xff", b"no model at all", bytes(50)])
def test_another_file_is_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ValueError, match="wanted a SentencePiece model"):
        write_tokenizer(tmp_path, tmp_path / "model", max_tokens=128)
