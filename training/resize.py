"""A model with other rows of ids: some of its own, and new ones that begin as means of old ones."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.export import export_hugging_face, save_final
from training.model import MaskedLanguageModel
from training.recipes import parameters_of
from training.sizes import EncoderConfig

NEW = -1


@dataclass(frozen=True, slots=True)
class Resized:
    """What became of a checkpoint: `rows` says for each new id which old one it was, -1 where there was none."""

    rows: tuple[int, ...]
    old_ids: int
    old_parameters: int
    parameters: int

    @property
    def ids(self) -> int:
        return len(self.rows)


def report(config: EncoderConfig, rows: Sequence[int]) -> Resized:
    now = replace(config, vocabulary_size=len(rows))
    return Resized(tuple(rows), config.vocabulary_size, parameters_of(config), parameters_of(now))


def resized(
    model: MaskedLanguageModel, config: EncoderConfig, rows: Sequence[int], means: Mapping[int, Sequence[int]]
) -> MaskedLanguageModel:
    """The model with the given old rows in the given order; a NEW one is the mean of the old ids that `means` has."""
    changed = MaskedLanguageModel(replace(config, vocabulary_size=len(rows)))
    state = model.state_dict()
    taken = torch.tensor([max(row, 0) for row in rows])
    for name in ("encoder.words.weight", "bias"):
        old = state[name]
        new = old[taken].clone()
        for number, origins in means.items():
            new[number] = old[list(origins)].mean(0)
        state[name] = new
    changed.load_state_dict(state)
    return changed


def write_resized(model: MaskedLanguageModel, vocabulary: bytes, output: Path) -> None:
    """As a folder in Hugging Face's format, with its tokenizer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocabulary").write_bytes(vocabulary)
        save_final(model, model.encoder.config, folder / "final")
        export_hugging_face(folder / "final", folder / "vocabulary", output)
