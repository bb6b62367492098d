"""The run itself: what is predicted, what is drawn, and the same bits after any interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.blocks import open_blocks, write_blocks
from training.export import export_hugging_face, load_encoder, load_final, save_final
from training.flops import training_flops_per_token
from training.masking import IGNORED, mask_block, slots
from training.model import EncoderConfig, MaskedLanguageModel, parameter_count, xlmr_base, xlmr_large, xlmr_tiny
from training.optimizer import learning_rate
from training.order import Order, permute
from training.sampling import language_probabilities
from training.settings import PretrainSettings, read_settings
from training.vocabulary import BOS, EOS, UNK, Vocabulary, train_vocabulary

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    "en": [f"The {a} {b} in the {c}.\nIt was {a} again." for a in ("old", "red", "small", "quiet", "long", "warm")
           for b in ("house", "bird", "river", "song", "train") for c in ("garden", "village", "morning", "winter")],
    "sw": [f"{a} {b} {c}." for a in ("Mwalimu", "Daktari", "Mkulima", "Mpishi") 
           for b in ("anasoma", "anaimba", "anapika") for c in ("sokoni", "jikoni", "kijijini", "shuleni")],
}  # fmt: skip


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    model = tmp_path_factory.mktemp("vocabulary") / "sentencepiece.bpe.model"
    characters = {language: sum(map(len, texts)) for language, texts in TEXTS.items()}
    train_vocabulary({k: (lambda v=v: v) for k, v in TEXTS.items()}, characters, model, size=150)  # type: ignore[misc]
    return Vocabulary.load(model)


@pytest.fixture(scope="session")
def settings(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("blocks")
    for language, texts in TEXTS.items():
        write_blocks(texts, vocabulary, folder / f"{language}.npy", block_tokens=16)
    return {
        "vocabulary": str(vocabulary.model), "model": "tiny", "block_tokens": 16, "batch_blocks": 8, "steps": 12,
        "warmup_steps": 2, "checkpoint_steps": 4, "log_steps": 2, "cycle_samples": 64, "peak_learning_rate": 1e-3,
        "blocks": {language: str(folder / f"{language}.npy") for language in TEXTS},
    }  # fmt: skip


def command(settings: dict[str, object], output: Path, processes: int) -> list[str]:
    output.mkdir(parents=True, exist_ok=True)
    config = output / "config.json"
    config.write_text(json.dumps(settings | {"output": str(output)}))
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*(start if processes > 1 else [sys.executable]), "-m", "training", "pretrain", "--config", str(config)]


def train(settings: dict[str, object], output: Path, processes: int = 1) -> Path:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        command(settings, output, processes), cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert said.returncode == 0, said.stderr.decode()[-2000:]
    return output


def losses(output: Path) -> list[float]:
    return [json.loads(line)["loss_nats"] for line in (output / "metrics.jsonl").read_text().splitlines()]


# --- the paper's and the note's numbers


@pytest.mark.parametrize(("config", "parameters"), [(xlmr_base(), 278_294_418), (xlmr_large(), 560_141_458)])
def test_parameter_counts_are_fairseqs(config: EncoderConfig, parameters: int) -> None:
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
    assert blocks.flatten().tolist() == stream[: 4 * (len(stream) // 4)]
    assert counts["tokens"] == len(stream) == counts["blocks"] * 4 + counts["left_over_tokens"]
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


def test_the_order_does_not_depend_on_who_asks() -> None:
    order = Order({"en": 60, "sw": 4}, alpha=0.3, seed=3, cycle=128)
    whole = order.draw(np.arange(64))
    parts = [order.draw(np.arange(start, 64, 4)) for start in range(4)]
    assert all((whole.block[start::4] == part.block).all() for start, part in enumerate(parts))


def test_masks_are_fifteen_per_cent_in_the_right_kinds() -> None:
    ids = np.arange(4, 4 + 512)
    kinds = np.zeros(3)
    counts = []
    for sample in range(300):
        masked = mask_block(ids, seed=1, sample=sample, vocabulary_size=1000, mask_id=999)
        used = masked.targets_S != IGNORED
        counts.append(int(used.sum()))
        assert len(set(masked.positions_S[used].tolist())) == used.sum()
        assert (ids[masked.positions_S[used]] == masked.targets_S[used]).all()
        now = masked.ids_T[masked.positions_S[used]]
        kinds += [(now == 999).sum(), (now == masked.targets_S[used]).sum(), used.sum()]
        untouched = np.setdiff1d(np.arange(512), masked.positions_S[used])
        assert (masked.ids_T[untouched] == ids[untouched]).all()
    assert set(counts) == {76, 77}
    assert slots(512) == 77
    assert kinds[0] / kinds[2] == pytest.approx(0.8, abs=0.01)
    assert kinds[1] / kinds[2] == pytest.approx(0.1, abs=0.01)


# --- model and export


def test_the_loss_on_masked_places_is_that_of_the_full_logits() -> None:
    torch.manual_seed(0)
    model = MaskedLanguageModel(xlmr_tiny(50, max_tokens=16)).eval()
    ids_BT, places = torch.randint(4, 50, (2, 16)), torch.tensor([1, 5, 20])
    targets = torch.tensor([7, 8, 9])
    sparse = functional.cross_entropy(model(ids_BT, places), targets, reduction="sum")
    full = model.head(model.encoder(ids_BT)).flatten(0, 1)[places]
    dense = functional.cross_entropy(full, targets, reduction="sum")
    assert torch.allclose(sparse, dense, atol=1e-5)
    gradients = [torch.autograd.grad(loss, model.encoder.words.weight)[0] for loss in (sparse, dense)]
    assert torch.allclose(*gradients, atol=1e-5)


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


def test_hugging_faces_tokenizer_gives_our_ids(exported: Path, vocabulary: Vocabulary) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(exported / "model"))
    assert len(tokenizer) == len(vocabulary)
    for text in [*TEXTS["en"][:20], *TEXTS["sw"], "Größe 日本 ﬁve  spaces", "x\u200by"]:
        assert tokenizer(text)["input_ids"] == [BOS, *vocabulary.encode(text), EOS]


# --- the loop


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bytes(settings: dict[str, object], tmp_path: Path) -> None:
    """kill -9 of all processes after the first checkpoint, then the same command again; two processes."""
    whole = train(settings, tmp_path / "whole", processes=2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    slow = settings | {"steps": 12}
    job = subprocess.Popen(command(slow, tmp_path / "killed", 2), cwd=ROOT, env=environment, start_new_session=True,
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


def test_an_unknown_setting_is_named(settings: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(settings | {"output": "x", "learning_rate": 1}))
    with pytest.raises(ValueError, match="unknown settings learning_rate"):
        read_settings(tmp_path / "c.json")


def test_defaults_are_the_papers() -> None:
    defaults = PretrainSettings(Path("v"), {"en": Path("b")}, Path("o"))
    assert (defaults.batch_blocks, defaults.block_tokens, defaults.steps, defaults.alpha) == (8192, 512, 1_500_000, 0.3)
