"""The run itself: what is predicted, what is drawn, and the same bits after any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.training.runs import ENVIRONMENT, ROOT, TEXTS, command, losses, train
from training.batches import Batches
from training.blocks import open_blocks, write_blocks
from training.dropout import attention, dropout
from training.export import export_hugging_face, load_encoder, load_final, save_final
from training.flops import training_flops_per_token
from training.head_loss import linear_cross_entropy
from training.ids import BOS, EOS, UNK
from training.masking import IGNORED, mask_blocks, slots
from training.model import MaskedLanguageModel, parameter_count
from training.optimizer import learning_rate
from training.order import Order, permute
from training.sampling import language_probabilities
from training.settings import PretrainSettings
from training.sizes import EncoderConfig, xlmr_base, xlmr_large, xlmr_tiny
from training.vocabulary import Vocabulary, train_vocabulary

# --- the paper's and the note's numbers


@pytest.mark.parametrize(("config", "parameters"), [(xlmr_base(), 278_295_186), (xlmr_large(), 560_142_482)])
def test_parameter_counts_are_those_published(config: EncoderConfig, parameters: int) -> None:
    with torch.device("meta"):
        assert parameter_count(MaskedLanguageModel(config)) == parameters


def test_flops_count_the_head_on_masked_places_only() -> None:
    assert training_flops_per_token(xlmr_base(), 512) == pytest.approx(739.6e6, rel=1e-3)
    assert training_flops_per_token(xlmr_large(), 512) == pytest.approx(2194.3e6, rel=1e-3)


def test_alpha_raises_the_rare_language() -> None:
    shares = language_probabilities({"en": 99, "sw": 1}, 0.5)
    assert shares["en"] == pytest.approx(99**0.5 / (99**0.5 + 1))
    assert language_probabilities({"en": 99, "sw": 1}, 1.0)["sw"] == pytest.approx(0.01)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    rates = [learning_rate(step, 1.0, 4, 12) for step in range(12)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[-1] == pytest.approx(1 / 8)


# --- vocabulary and blocks


def test_too_few_pieces_for_the_characters_are_refused_in_one_line(tmp_path: Path) -> None:
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
    with pytest.raises(ValueError, match=r"^SentencePiece, 50 pieces from 400 characters: Vocabulary size is smaller"):
        train_vocabulary({"zh": lambda: [letters]}, {"zh": 400}, tmp_path / "model", size=50)


def test_ids_are_xlm_rs(vocabulary: Vocabulary) -> None:
    pieces = vocabulary._pieces
    assert len(vocabulary) == pieces.get_piece_size() + 2
    assert vocabulary.mask_id == len(vocabulary) - 1
    assert vocabulary.encode("The house") == [i + 1 for i in pieces.encode("The house")]
    assert UNK in vocabulary.encode("日")
    assert vocabulary.decode([BOS, *vocabulary.encode("The house"), EOS]) == "The house"


def test_offsets_point_into_the_original_text(vocabulary: Vocabulary) -> None:
    text = "The  old house"
    found = vocabulary.encode_with_offsets(text)
    assert [i for i, _, _ in found] == vocabulary.encode(text)
    assert "".join(text[start:end] for _, start, end in found) == "Theoldhouse"


def test_a_vocabulary_has_the_same_bytes_twice(tmp_path: Path) -> None:
    characters = {"en": sum(map(len, TEXTS["en"]))}
    for name in ("a", "b"):
        train_vocabulary({"en": lambda: TEXTS["en"]}, characters, tmp_path / name, size=60)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_blocks_are_the_stream_of_documents(vocabulary: Vocabulary, tmp_path: Path) -> None:
    counts = write_blocks(["The old house", "a bird"], vocabulary, tmp_path / "b.npy", block_tokens=6)
    stream = [*vocabulary.encode("The old house"), EOS, *vocabulary.encode("a bird"), EOS]
    blocks = open_blocks(tmp_path / "b.npy", 6)
    assert [i for n in range(len(blocks)) for i in blocks[n].tolist()] == stream[: 4 * (len(stream) // 4)]
    assert counts["tokens"] == len(stream) == counts["blocks"] * 4 + counts["left_over_tokens"]
    assert (counts["documents"], counts["characters"], counts["words"]) == (2, 19, 5)
    with pytest.raises(ValueError, match="encode again"):
        open_blocks(tmp_path / "b.npy", 8)


# --- order and masks


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_permute_is_a_permutation(size: int) -> None:
    assert sorted(permute(np.arange(size), size, "key").tolist()) == list(range(size))


def test_a_cycle_holds_each_languages_quota_and_each_block_once_an_epoch() -> None:
    order = Order({"en": 60, "sw": 4}, alpha=0.5, seed=3, cycle=128)
    draws = order.draw(np.arange(128 * 3))
    first = draws.language[:128]
    share = 60**0.5 / (60**0.5 + 2)
    assert abs((first == 0).sum() - 128 * share) <= 1
    rare = draws.language == 1
    for epoch in range(int(draws.epoch[rare].max())):
        assert sorted(draws.block[rare & (draws.epoch == epoch)].tolist()) == [0, 1, 2, 3]


def test_a_cycle_too_short_for_whole_quotas_is_lengthened() -> None:
    order = Order({"en": 1_000_000, "sw": 100}, alpha=1.0, seed=3, cycle=4096)
    # sw's share is 1 in 10,001: 4,096 samples would give it one of them, 2.4 times as much.
    assert order.cycle == 4096 * 32  # 6.55 of 65,536 is still too short (7 is 7 % off), 13.1 of 131,072 is not
    assert order.quotas[1] / order.cycle == pytest.approx(1 / 10_001, rel=0.05)
    assert Order({"en": 60, "sw": 40}, alpha=1.0, seed=3, cycle=100).cycle == 100


@pytest.mark.parametrize("samples", [0, 1, 63, 64, 200])
def test_draws_are_counted_without_drawing_them(samples: int) -> None:
    order = Order({"en": 60, "sw": 4}, alpha=0.3, seed=3, cycle=64)
    drawn = order.draw(np.arange(samples)).language
    assert order.draws_of_first(samples) == {"en": (drawn == 0).sum(), "sw": (drawn == 1).sum()}


@pytest.mark.parametrize("ranks", [1, 2, 8])
def test_ranks_together_take_the_same_global_batch(settings: dict[str, object], tmp_path: Path, ranks: int) -> None:
    blocks = {name: [Path(str(path))] for name, path in dict(settings["blocks"]).items()}  # type: ignore[call-overload]
    batches = Batches(blocks, 16, 0.3, 1, 64, 150)
    whole = batches.take(40, 8)
    shares = [batches.take(40 + rank * 8 // ranks, 8 // ranks) for rank in range(ranks)]
    assert torch.equal(torch.cat([share.ids_BT for share in shares]), whole.ids_BT)
    assert torch.equal(torch.cat([share.targets_BS for share in shares]), whole.targets_BS)


def test_the_order_does_not_depend_on_who_asks() -> None:
    order = Order({"en": 60, "sw": 4}, alpha=0.3, seed=3, cycle=128)
    whole = order.draw(np.arange(64))
    parts = [order.draw(np.arange(start, 64, 4)) for start in range(4)]
    assert all((whole.block[start::4] == part.block).all() for start, part in enumerate(parts))


def test_masks_are_fifteen_per_cent_in_the_right_kinds() -> None:
    ids_BT = np.tile(np.arange(4, 4 + 512), (300, 1))
    masked = mask_blocks(ids_BT, np.arange(300), seed=1, vocabulary_size=1000, mask_id=999)
    kinds = np.zeros(3)
    for ids_T, now_T, positions_S, targets_S in zip(
        ids_BT, masked.ids_BT, masked.positions_BS, masked.targets_BS, strict=True
    ):
        used = targets_S != IGNORED
        assert used.sum() in {76, 77}
        assert len(set(positions_S[used].tolist())) == used.sum()
        assert (ids_T[positions_S[used]] == targets_S[used]).all()
        now = now_T[positions_S[used]]
        kinds += [(now == 999).sum(), (now == targets_S[used]).sum(), used.sum()]
        untouched = np.setdiff1d(np.arange(512), positions_S[used])
        assert (now_T[untouched] == ids_T[untouched]).all()
    assert slots(512) == 77
    assert (masked.targets_BS != IGNORED).sum() / 300 == pytest.approx(76.8, abs=0.1)
    assert kinds[0] / kinds[2] == pytest.approx(0.8, abs=0.01)
    assert kinds[1] / kinds[2] == pytest.approx(0.1, abs=0.01)


def test_each_place_is_masked_as_often_as_another() -> None:
    masked = mask_blocks(np.full((4000, 16), 5), np.arange(4000), seed=1, vocabulary_size=1000, mask_id=999)
    places = masked.positions_BS[masked.targets_BS != IGNORED]
    # 2.4 of 16 places in each of 4000 blocks are 600 a place, give or take 22 (one standard deviation).
    assert np.bincount(places, minlength=16) == pytest.approx(np.full(16, 600), abs=110)
    words = masked.ids_BT[(masked.ids_BT != 5) & (masked.ids_BT != 999)]
    assert words.min() >= 4
    assert 400 < words.mean() < 600


def test_a_block_is_masked_alike_in_any_company() -> None:
    ids_BT = np.arange(4, 4 + 8 * 16).reshape(8, 16)
    together = mask_blocks(ids_BT, np.arange(8), seed=1, vocabulary_size=1000, mask_id=999)
    alone = mask_blocks(ids_BT[5:6], np.array([5]), seed=1, vocabulary_size=1000, mask_id=999)
    assert (together.ids_BT[5] == alone.ids_BT[0]).all()
    assert (together.ids_BT[5] != mask_blocks(ids_BT[5:6], np.array([6]), seed=1, vocabulary_size=1000,
                                              mask_id=999).ids_BT[0]).any()  # fmt: skip


# --- model and export


def test_the_loss_on_masked_places_is_that_of_the_full_logits() -> None:
    """In float64, so that nothing but a mistake can differ; all gradients, that of every place's input among them."""
    torch.manual_seed(0)
    model = MaskedLanguageModel(xlmr_tiny(50, max_tokens=16)).double().eval()
    ids_BT, places_BS = torch.randint(4, 50, (2, 16)), torch.tensor([[1, 5, 0], [17, 20, 31]])
    targets = torch.tensor([7, 8, IGNORED, 9, 10, 11])
    sparse = model(ids_BT, places_BS, targets.view(2, 3)).sum()
    full = model.head(model.encoder(ids_BT)).flatten(0, 1)[places_BS.flatten()]
    dense = functional.cross_entropy(full, targets, reduction="sum")
    torch.testing.assert_close(sparse, dense, rtol=1e-12, atol=0)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    for ours, theirs in zip(*(torch.autograd.grad(loss, trained) for loss in (sparse, dense)), strict=True):
        assert not ours.is_sparse
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_each_loss_may_count_by_its_own_weight() -> None:
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(size, dtype=torch.float64, requires_grad=True) for size in ((4, 8), (30, 8), (30,)))
    targets = torch.tensor([3, IGNORED, 29, 0])
    share = torch.tensor([1.0, 7.0, 0.5, 2.0], dtype=torch.float64)
    logits = functional.linear(x, weight, bias)
    expected = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    found = linear_cross_entropy(x, weight, bias, targets)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    slopes = (torch.autograd.grad((loss * share).sum(), (x, weight, bias)) for loss in (found, expected))
    for ours, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_at_the_stated_rate(rate: float) -> None:
    torch.manual_seed(0)
    found = dropout(torch.full((1001, 333), 2.0), rate, training=True)
    assert (found == 0).double().mean().item() == pytest.approx(rate, abs=0.003)
    assert found.mean().item() == pytest.approx(2.0, rel=0.02)
    assert len(found.unique()) == 2
    x = torch.ones(7)
    assert dropout(x, rate, training=False) is dropout(x, 0.0, training=True) is x


def test_dropout_differs_from_place_to_place_and_passes_the_gradient_of_what_it_keeps() -> None:
    torch.manual_seed(0)
    x = torch.ones(64, 1000, requires_grad=True)
    y = dropout(x, 0.25, training=True)
    assert len({tuple(row.tolist()) for row in (y.detach() == 0)}) == 64
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())  # type: ignore[arg-type]


def test_attention_with_dropout_is_torchs_without_what_was_dropped() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 5, 8) for _ in range(3))
    weights = torch.softmax(query @ key.transpose(-1, -2) / 8**0.5, -1)
    torch.testing.assert_close(attention(query, key, value, 0.1, training=False), weights @ value)
    torch.manual_seed(1)
    found = attention(query, key, value, 0.1, training=True)
    torch.manual_seed(1)
    torch.testing.assert_close(found, dropout(weights, 0.1, training=True) @ value)


def test_padding_changes_nothing_for_the_tokens_before_it() -> None:
    torch.manual_seed(0)
    encoder = MaskedLanguageModel(xlmr_tiny(50, max_tokens=16)).eval().encoder
    ids = torch.randint(4, 50, (1, 6))
    padded = torch.cat([ids, torch.ones(1, 4, dtype=torch.long)], 1)
    assert torch.allclose(encoder(ids), encoder(padded, padded != 1)[:, :6], atol=1e-5)


@pytest.fixture(scope="session")
def exported(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(1)
    config = xlmr_tiny(len(vocabulary))
    model = MaskedLanguageModel(config)
    torch.nn.init.normal_(model.bias)
    save_final(model, config, folder / "final")
    export_hugging_face(folder / "final", vocabulary.model, folder / "model")
    return folder


def test_hugging_face_loads_the_export_with_equal_logits(exported: Path) -> None:
    from transformers import AutoModelForMaskedLM

    theirs, info = AutoModelForMaskedLM.from_pretrained(str(exported / "model"), output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    ours, config = load_final(exported / "final")
    ids = torch.randint(4, config.vocabulary_size, (2, 20))
    with torch.no_grad():
        expected = ours.eval().head(ours.encoder(ids))
        assert torch.allclose(theirs.eval()(ids).logits, expected, atol=1e-4)
        encoder, _ = load_encoder(exported / "model")
        assert torch.equal(encoder.eval()(ids), ours.encoder(ids))


# --- the loop


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bytes(settings: dict[str, object], tmp_path: Path) -> None:
    """kill -9 of all processes after the first checkpoint, then the same command again; two processes."""
    whole = train(settings, tmp_path / "whole", processes=2)
    slow = settings | {"steps": 12}
    job = subprocess.Popen(command(slow, tmp_path / "killed", 2), cwd=ROOT, env=ENVIRONMENT, start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "checkpoints" / "step-00000004").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    killed = train(slow, tmp_path / "killed", processes=2)
    assert (killed / "final" / "model.safetensors").read_bytes() == (whole / "final" / "model.safetensors").read_bytes()
    assert losses(killed) == losses(whole)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(settings: dict[str, object], tmp_path: Path) -> None:
    without_dropout = settings | {"dropout": 0.0}
    one = train(without_dropout, tmp_path / "one")
    two = train(without_dropout, tmp_path / "two", processes=2)
    assert losses(one) == pytest.approx(losses(two), abs=1e-4)
    assert losses(one)[-1] < losses(one)[0]


@pytest.mark.slow
def test_other_settings_do_not_go_on_from_a_checkpoint(settings: dict[str, object], tmp_path: Path) -> None:
    train(settings | {"steps": 4}, tmp_path / "run")
    other = command(settings | {"steps": 4, "seed": 2}, tmp_path / "run", 1)
    said = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "use another output folder" in said.stderr
    assert "Traceback" not in said.stderr


def test_defaults_are_the_papers() -> None:
    defaults = PretrainSettings(Path("v"), {"en": (Path("b"),)}, Path("o"))
    assert (defaults.batch_blocks, defaults.block_tokens, defaults.steps, defaults.alpha) == (8192, 512, 1_500_000, 0.3)
