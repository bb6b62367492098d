"""A small vocabulary, blocks of two languages, and settings of a run that takes a second."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.training.runs import TEXTS
from training.blocks import write_blocks
from training.vocabulary import Vocabulary, train_vocabulary


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


@pytest.fixture
def signals() -> Iterator[None]:
    """A run inside the test's process takes the signals over; they are given back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
