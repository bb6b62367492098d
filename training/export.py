"""Models as folders: our own `final`, and Hugging Face's XLM-RoBERTa folder, written and read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.errors import NotFinite
from training.hugging_face import from_hugging_face, from_their_config, to_hugging_face, to_their_config
from training.model import Encoder, MaskedLanguageModel
from training.sizes import EncoderConfig
from training.tokenizer import write_tokenizer
from training.vocabulary import PIECES as PIECES  # evaluation takes the name from here
from training.vocabulary import Vocabulary

WEIGHTS, CONFIG, THEIR_CONFIG = "model.safetensors", "encoder.json", "config.json"
BINARY_WEIGHTS = "pytorch_model.bin"


def save_final(model: MaskedLanguageModel, config: EncoderConfig, folder: Path) -> None:
    """As `save_final_weights`."""
    save_final_weights(model.state_dict(), config, folder)


def save_final_weights(weights: Mapping[str, Tensor], config: EncoderConfig, folder: Path) -> None:
    """Weights and sizes, the same bytes for the same model; the folder appears whole.  Raises NotFinite."""
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(weights.items())}
    _save_weights(tensors, aside)
    _write_json(aside / CONFIG, asdict(config))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)


def load_final(folder: Path) -> tuple[MaskedLanguageModel, EncoderConfig]:
    """Raises ValueError where the files are not those of `save_final`."""
    try:
        config = EncoderConfig(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        model = MaskedLanguageModel(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{folder}: {' '.join(str(error).split())}: wanted a run's `final` folder") from error
    return model, config


def load_checkpoint(folder: Path) -> tuple[MaskedLanguageModel, EncoderConfig]:
    """A `final` folder, or any in Hugging Face's XLM-R format (safetensors or bin, in one file or several).

    Raises ValueError with one line where it is neither.
    """
    if (folder / CONFIG).is_file():
        return load_final(folder)
    config = _their_config(folder)
    with torch.device("meta"):
        model = MaskedLanguageModel(config)
    try:
        found = from_hugging_face(_their_weights(folder), model.state_dict())
        model.load_state_dict(found, assign=True)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{folder}: {' '.join(str(error).split())}") from error
    model.freeze()
    return model, config


def load_encoder(folder: Path) -> tuple[Encoder, EncoderConfig]:
    """The encoder of a Hugging Face folder, without the masked-LM head (for fine-tuning)."""
    config = _their_config(folder)
    encoder = Encoder(config)
    names = [f"encoder.{name}" for name in encoder.state_dict()]
    try:
        found = from_hugging_face(_their_weights(folder), names)
        encoder.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in found.items()})
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{folder}: {' '.join(str(error).split())}") from error
    return encoder, config


def export_hugging_face(final: Path, vocabulary: Path, output: Path) -> None:
    """Write a folder that AutoModelForMaskedLM and AutoTokenizer load, with logits and ids equal to ours.

    Raises ValueError where the vocabulary and the model differ in size, or a weight is not finite.
    """
    model, config = load_checkpoint(final)
    size = len(Vocabulary.load(vocabulary))
    if size != config.vocabulary_size:
        raise ValueError(f"{vocabulary}: {size} ids, the model has {config.vocabulary_size}: pass its own vocabulary")
    output.mkdir(parents=True, exist_ok=True)
    save_hugging_face(model, config, output)
    if vocabulary.resolve() != (output / PIECES).resolve():
        shutil.copyfile(vocabulary, output / PIECES)
    write_tokenizer(output, output / PIECES, config.usable_tokens)


def save_hugging_face(model: MaskedLanguageModel, config: EncoderConfig, folder: Path) -> None:
    """Weights and config.json under their names, without a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    _save_weights(to_hugging_face(model.state_dict()), folder)
    _write_json(folder / THEIR_CONFIG, to_their_config(config))


def _save_weights(tensors: dict[str, Tensor], folder: Path) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise NotFinite(f"weight {name} holds a number that is not finite: no model is written")
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    # safetensors writes for the owner alone, whatever the umask; a file beside it shows what the umask gives.
    probe = folder / ".umask"
    probe.touch()
    (folder / WEIGHTS).chmod(probe.stat().st_mode & 0o777)
    probe.unlink()


def _their_config(folder: Path) -> EncoderConfig:
    try:
        stated = json.loads((folder / THEIR_CONFIG).read_text(encoding="utf-8"))
        return from_their_config(stated)
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: {error}: wanted a folder in XLM-R's format") from error


def _their_weights(folder: Path) -> Mapping[str, Tensor]:
    for name in (WEIGHTS, BINARY_WEIGHTS):
        for path in (folder / name, folder / f"{name}.index.json"):
            if path.is_file():
                parts = _parts(path) if path.suffix == ".json" else [path]
                return {key: tensor for part in parts for key, tensor in _read_weights(part).items()}
    raise ValueError(f"{folder}: neither {WEIGHTS} nor {BINARY_WEIGHTS}")


def _parts(index: Path) -> list[Path]:
    """The files that the weights are cut into."""
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return [index.parent / part for part in sorted(set(named))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index}: {type(error).__name__}: {error}: wanted an index of files of weights") from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Code in a pickle is never run."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".bin" else load_file(path)
    except Exception as error:  # a damaged pickle can raise any
        said = " ".join(str(error).split(". ")[0].split())
        raise ValueError(f"{path}: {type(error).__name__}: {said}: wanted a file of weights, without code") from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        raise ValueError(f"{path}: it does not hold tensors by their names: wanted a file of weights")
    return found


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
