"""Any Hugging Face encoder by folder, with its own tokenizer: random weights of several architectures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from embedded.written import reference_sentences
from evaluation.batches import collate, prediction_order, training_order
from evaluation.benchmarks import BENCHMARKS
from evaluation.encoders import HuggingFaceEncoder, HuggingFaceTokenizer, NativeEncoder, load
from evaluation.features import Feature, features_of
from evaluation.finetune import run
from evaluation.heads import Batch, Head
from evaluation.presets import preset
from evaluation.records import Classified, DataError, Question, Tagged
from evaluation.retrieval import embed, retrieve
from evaluation.settings import FinetuneConfig

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def texts() -> list[str]:
    return [line for lines in reference_sentences().values() for line in lines][:2000]


def word_pieces(folder: Path) -> Any:
    """BERT's tokenizer with its own special tokens."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    made = BertWordPieceTokenizer(lowercase=False)
    made.train_from_iterator(texts(), vocab_size=500, show_progress=False)
    made.save_model(str(folder))
    return BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=False, model_max_length=128)


def byte_pairs(folder: Path) -> Any:
    """RoBERTa's: the space before a word is part of it."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizerFast

    made = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made.train_from_iterator(texts(), vocab_size=500, special_tokens=special, show_progress=False)
    made.save_model(str(folder))
    names = {"vocab": str(folder / "vocab.json"), "merges": str(folder / "merges.txt")}
    return RobertaTokenizerFast(**names, model_max_length=128)


def plain(folder: Path) -> Any:
    """A tokenizer.json alone, as ModernBERT and EuroBERT have it, with a frame of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    made.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   pad_token="[PAD]", mask_token="[MASK]")  # fmt: skip


ARCHITECTURES: dict[str, tuple[str, Callable[[Path], Any], dict[str, Any]]] = {
    "bert": ("BertConfig", word_pieces, SIZES | {"max_position_embeddings": 128}),
    "electra": ("ElectraConfig", word_pieces, SIZES | {"embedding_size": 16, "max_position_embeddings": 128}),
    "roberta": ("RobertaConfig", byte_pairs, SIZES | {"max_position_embeddings": 130, "pad_token_id": 1}),
    "xlm-roberta": ("XLMRobertaConfig", byte_pairs, SIZES | {"max_position_embeddings": 130, "pad_token_id": 1}),
    "deberta-v2": ("DebertaV2Config", word_pieces, SIZES | {
        "max_position_embeddings": 128, "relative_attention": True, "pos_att_type": ["c2p", "p2c"],
        "position_buckets": 16, "type_vocab_size": 0}),
    "modernbert": ("ModernBertConfig", plain, SIZES | {
        "max_position_embeddings": 128, "pad_token_id": 3, "cls_token_id": 1, "sep_token_id": 2,
        "bos_token_id": 1, "eos_token_id": 2}),
    "eurobert": ("EuroBertConfig", plain, SIZES | {"max_position_embeddings": 128, "pad_token_id": 3}),
}  # fmt: skip


@pytest.fixture(scope="session", params=list(ARCHITECTURES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    name = str(request.param)
    config_name, tokenizer, sizes = ARCHITECTURES[name]
    folder = tmp_path_factory.mktemp(name)
    made = tokenizer(folder)
    made.save_pretrained(folder)
    torch.manual_seed(1)
    config = getattr(transformers, config_name)(vocab_size=len(made), **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def test_its_rows_are_framed_as_its_own_tokenizer_frames_them(folder: Path) -> None:
    from transformers import AutoTokenizer

    loaded = load(folder)
    assert isinstance(loaded.tokenizer, HuggingFaceTokenizer)
    theirs = AutoTokenizer.from_pretrained(folder)
    pair = Classified("The cook waits in the garden.", "Der Koch singt.", "neutral")
    [row] = features_of([pair], BENCHMARKS["xnli"], loaded.tokenizer, 128)
    made = theirs(pair.first, pair.second, return_token_type_ids=True)
    assert list(row.ids) == made["input_ids"]
    assert list(row.types or [0] * len(row.ids)) == made["token_type_ids"]
    [single] = features_of([Classified(pair.first, None, "1")], BENCHMARKS["sst2"], loaded.tokenizer, 128)
    assert list(single.ids) == theirs(pair.first)["input_ids"]


def test_its_words_are_those_of_a_sentence(folder: Path) -> None:
    """As is_split_into_words gives them, where the tokenizer can do that."""
    loaded = load(folder)
    words = ("Ana", "works", "in", "Lagos", ".")
    [row] = features_of([Tagged(words, ("B-PER", "O", "O", "B-LOC", "O"))], BENCHMARKS["ner"], loaded.tokenizer, 128)
    assert isinstance(loaded.tokenizer, HuggingFaceTokenizer)
    inside = loaded.tokenizer.encode(["x Ana works in Lagos"])[0][len(loaded.tokenizer.encode(["x"])[0]) :]
    before = len(loaded.tokenizer.single.before)
    assert list(row.ids)[before : before + len(inside)] == inside
    assert [place for place in row.target if place >= 0] == [1, 0, 0, 3, 0]


def test_its_answers_are_cut_by_its_offsets(folder: Path) -> None:
    context = "Ein  Satz zuvor. Der Koch wartet im Garten. 北京 ist groß."
    for answer in ("im Garten", "北京"):
        question = Question("1", "Wo?", context, ((answer, context.index(answer)),))
        rows = features_of([question], BENCHMARKS["mlqa"], load(folder).tokenizer, 128)
        found = [row for row in rows if row.target != (0, 0)]
        if answer == "北京" and not found:
            continue  # word pieces without these characters: one unknown token for more than the answer
        assert found
        first, last = (int(place) for place in found[0].target)
        begins, ends = found[0].spans[first], found[0].spans[last]
        assert begins
        assert ends
        assert answer in context[begins[0] : ends[1]]


def test_padding_does_not_change_what_it_computes(folder: Path) -> None:
    loaded = load(folder)
    assert isinstance(loaded.model, HuggingFaceEncoder)
    loaded.model.eval()
    rows = [
        Feature(0, loaded.tokenizer.single.join(ids), (0,)) for ids in loaded.tokenizer.encode(["a cook", texts()[0]])
    ]
    cpu = torch.device("cpu")
    both, alone = (
        collate(rows, loaded.tokenizer.pad, cpu, real=False),
        collate(rows[:1], loaded.tokenizer.pad, cpu, real=False),
    )
    assert both.mask_BT is not None
    assert alone.mask_BT is None
    with torch.no_grad():
        padded = loaded.model(both.ids_BT, both.mask_BT, None)[0, : len(rows[0].ids)]
        torch.testing.assert_close(padded, loaded.model(alone.ids_BT, None, None)[0], atol=1e-5, rtol=1e-4)
    assert len(loaded.model.layers(alone.ids_BT, None, None)) == 3


@pytest.mark.slow
def test_it_is_fine_tuned_and_scored(folder: Path, data: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(epochs=1, batch=16, learning_rate=1e-3, max_tokens=512)
    rows = run("sst2", folder, data, tmp_path / "a", config)
    assert rows == run("sst2", folder, data, tmp_path / "b", config)
    assert 0 <= rows[0].value <= 100
    assert rows[0].max_tokens == 128
    assert "rows cut at 128 tokens, the longest that the model states" in rows[0].flags


@pytest.mark.slow
def test_losses_are_those_of_hugging_faces_class_on_the_same_weights(model: Path) -> None:
    """Over 50 updates without dropout.  Its token type row, which we do not have, is kept from learning."""
    from transformers import XLMRobertaForSequenceClassification

    ours = load(model)
    assert isinstance(ours.model, NativeEncoder)
    for layer in ours.model.encoder.layers:
        layer.dropout = 0.0  # type: ignore[assignment]
    ours.model.encoder.config = replace(ours.model.encoder.config, dropout=0.0)
    torch.manual_seed(1)
    head = Head(replace(ours, dropout=0.0), BENCHMARKS["xnli"])
    settings: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3}
    theirs = XLMRobertaForSequenceClassification.from_pretrained(model, **settings)
    theirs.roberta.embeddings.token_type_embeddings.weight.requires_grad_(False)
    assert head.dense is not None
    theirs.classifier.dense.load_state_dict(head.dense.state_dict())
    theirs.classifier.out_proj.load_state_dict(head.out.state_dict())
    labels = BENCHMARKS["xnli"].labels
    pairs = [Classified(texts()[n], texts()[n + 40], labels[n % 3]) for n in range(40)]
    rows = features_of(pairs, BENCHMARKS["xnli"], ours.tokenizer, 48)
    batches = [
        collate([rows[place] for place in places], ours.tokenizer.pad, torch.device("cpu"), real=False)
        for places in training_order([len(row.ids) for row in rows], 8, 1, 0) * 10
    ]
    first = losses_of(head, head.loss, batches)
    second = losses_of(theirs, lambda batch: loss_of_theirs(theirs, batch), batches)
    assert len(first) == 50
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) < 1e-4
    assert sum(first[-5:]) < sum(first[:5])


def loss_of_theirs(model: Any, batch: Batch) -> torch.Tensor:
    mask = torch.ones_like(batch.ids_BT) if batch.mask_BT is None else batch.mask_BT.long()
    loss: torch.Tensor = model(input_ids=batch.ids_BT, attention_mask=mask, labels=batch.target[:, 0]).loss
    return loss


def losses_of(
    model: torch.nn.Module, loss_of: Callable[[Batch], torch.Tensor], batches: Sequence[Batch]
) -> list[float]:
    model.train()
    optimizer = torch.optim.AdamW((part for part in model.parameters() if part.requires_grad), lr=1e-4)
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_an_xlmr_in_hugging_faces_format_is_read_by_our_encoder(model: Path, tmp_path: Path) -> None:
    """Also one whose token type adds something, as weights and in the older .bin."""
    from safetensors.torch import load_file

    shutil.copytree(model, tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    tensors["roberta.embeddings.token_type_embeddings.weight"] += 0.5
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(tensors, tmp_path / "model" / "pytorch_model.bin")
    ours = load(tmp_path / "model")
    assert isinstance(ours.model, NativeEncoder)
    assert ours.digest != load(model).digest
    (tmp_path / "model" / "sentencepiece.bpe.model").unlink()
    theirs = load(tmp_path / "model")
    assert isinstance(theirs.model, HuggingFaceEncoder)
    ids = torch.tensor([list(ours.tokenizer.single.join(ours.tokenizer.encode([texts()[0]])[0]))])
    assert ids.tolist()[0] == list(theirs.tokenizer.single.join(theirs.tokenizer.encode([texts()[0]])[0]))
    for encoder in (ours, theirs):
        encoder.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(ours.model(ids, None, None), theirs.model(ids, None, None), atol=1e-5, rtol=1e-4)
        for each in (ours.model, theirs.model):
            assert isinstance(each, NativeEncoder | HuggingFaceEncoder)
            torch.testing.assert_close(each.first(ids, None, None), each(ids, None, None)[:, 0], atol=1e-5, rtol=1e-4)


def test_the_stated_lengths_bound_what_is_read(model: Path, tmp_path: Path) -> None:
    assert load(model).max_tokens == 512
    shutil.copytree(model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"trained_tokens": 128}))
    assert load(tmp_path / "model").max_tokens == 128


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json: no such file: wanted a Hugging Face folder"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match="wanted a Hugging Face folder with an encoder and its tokenizer"):
        load(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with its tokenizer and all its weights."""
    return saved(tmp_path_factory.mktemp("whole"), "BertConfig", word_pieces, SIZES)


def saved(folder: Path, config_name: str, tokenizer: Callable[[Path], Any], sizes: dict[str, Any]) -> Path:
    import transformers

    made = tokenizer(folder)
    made.save_pretrained(folder)
    config = getattr(transformers, config_name)(vocab_size=len(made), **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def drop_a_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if "layer.1." not in name}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def drop_the_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()


WEIGHTS = "model.safetensors"
BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a layer": (drop_a_layer, r"its weights lack encoder\.layer\.1\..* and 15 others"),
    "the tokenizer": (drop_the_tokenizer, r"no tokenizer\.json or vocab\.txt: wanted a Hugging Face folder"),
    "the weights": (lambda folder: (folder / WEIGHTS).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
                    "wanted a Hugging Face folder with an encoder"),
    "the settings": (lambda folder: (folder / "config.json").write_text('{"a":'), r"config\.json: Expecting value"),
}  # fmt: skip


@pytest.mark.parametrize("part", BROKEN)
def test_a_folder_that_lacks_a_part_is_not_scored(part: str, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "model")
    load(tmp_path / "model")
    spoil, said = BROKEN[part]
    spoil(tmp_path / "model")
    with pytest.raises(DataError, match=said):
        load(tmp_path / "model")


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 2}
    with pytest.raises(DataError, match="'gpt2' is no encoder: wanted a masked language model"):
        load(saved(tmp_path, "GPT2Config", byte_pairs, sizes))


# --- batches and retrieval


def test_batches_hold_rows_of_like_length_and_every_row_once() -> None:
    chance = torch.Generator().manual_seed(1)
    lengths = torch.randint(5, 120, (3000,), generator=chance).tolist()
    first, second = (training_order(lengths, 32, 1, turn) for turn in (0, 1))
    assert sorted(place for batch in first for place in batch) == list(range(3000))
    assert first == training_order(lengths, 32, 1, 0)
    assert first != second
    padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in first)
    assert padded / sum(lengths) < 1.05
    for batch in prediction_order(lengths, 2048):
        assert len(batch) * max(lengths[place] for place in batch) <= 2048


def test_a_sentence_finds_itself(model: Path) -> None:
    from evaluation.records import Translated

    loaded = load(model)
    same = tuple(Translated(text, text) for text in texts()[:30])
    assert retrieve(loaded, {"x": same}, FinetuneConfig(), 64) == {"x": list(range(30))}
    vectors = embed(loaded, [pair.text for pair in same], 2, 4, 64)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(30))
    torch.testing.assert_close(vectors[:1], embed(loaded, [same[0].text], 2, 4, 64), atol=1e-5, rtol=1e-4)


def test_retrieval_is_scored_without_training_and_says_its_layer(model: Path, tmp_path: Path) -> None:
    for name, lines in (("tatoeba.deu-eng.deu", "Haus\nHund\n"), ("tatoeba.deu-eng.eng", "Haus\nHund\n")):
        (tmp_path / name).write_text(lines)
    [row] = run("tatoeba", model, tmp_path, tmp_path / "out", preset("paper", "tatoeba"))
    assert (row.value, row.chance, row.trained_on, row.selection) == (100.0, 50.0, "nothing", "none")
    assert row.flags[0] == "layer 3 of 4, mean over tokens, cosine"
