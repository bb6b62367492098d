"""The embedded sets and a tiny model, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from embedded.benchmarks import make_benchmarks
from training.export import export_hugging_face, save_final
from training.model import MaskedLanguageModel, xlmr_tiny
from training.vocabulary import Vocabulary, train_vocabulary


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_benchmarks(tmp_path_factory.mktemp("data") / "benchmarks")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


def tiny_model(folder: Path) -> Path:
    """A Hugging Face folder with random weights and a vocabulary of 600 pieces."""
    from embedded.written import reference_sentences

    texts = reference_sentences()
    characters = {language: sum(map(len, lines)) for language, lines in texts.items()}
    made = {language: (lambda lines=lines: lines) for language, lines in texts.items()}
    train_vocabulary(made, characters, folder / "sp.model", size=600)  # type: ignore[arg-type]
    torch.manual_seed(0)
    config = xlmr_tiny(len(Vocabulary.load(folder / "sp.model")))
    save_final(MaskedLanguageModel(config), config, folder / "final")
    export_hugging_face(folder / "final", folder / "sp.model", folder / "model")
    return folder / "model"
