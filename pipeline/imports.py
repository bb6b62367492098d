"""Checkpoints and vocabularies from outside, as the store's own: a folder, an `hf://` id, a SentencePiece file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import hub, stages
from pipeline.draft import Draft
from pipeline.errors import BadConfig, BadInput
from pipeline.needs import all_units
from pipeline.source_digest import digest_of, digest_of_listing
from pipeline.stage import Inputs, StageConfig
from pipeline.stages.export import STAGE as EXPORT
from pipeline.stages.ingest import IngestConfig
from pipeline.stages.train_vocabulary import MODEL
from pipeline.stages.train_vocabulary import STAGE as TRAIN_VOCABULARY
from pipeline.store import ArtifactStore

CONFIG = "config.json"
# As they are looked for: the first kind that is there.
WEIGHTS = tuple(re.compile(rf"{name}(-\d+-of-\d+)?\.{suffix}(\.index\.json)?")
                for name, suffix in (("model", "safetensors"), ("pytorch_model", "bin")))  # fmt: skip
SPECIALS = ("<unk>", "<s>", "</s>")  # SentencePiece's pieces 0, 1, 2


class ImportConfig(StageConfig):
    """What comes in is the input."""


def import_checkpoint(store: ArtifactStore, source: str, name: str, vocabulary: Path | None = None) -> str:
    """Bring a checkpoint in XLM-R's format into the store; its URI.  `vocabulary`: its SentencePiece file, where the
    folder has none.  Raises BadInput, MissingArtifact, SourceUnavailable."""
    config = _source(source, vocabulary is not None)
    found = [stages.load("ingest").run(config, (), store, f"checkpoint/{name}")]
    if vocabulary is not None:
        found.append(_ingest_file(store, vocabulary, f"vocabulary/{name}"))
    stage = replace(EXPORT, config=ImportConfig, body=_import, needs={"ingest": all_units}, optional=frozenset(),
                    builds_on={})  # fmt: skip
    return stage.run(ImportConfig(), found, store, name)


def import_vocabulary(store: ArtifactStore, file: Path, name: str) -> str:
    """Take an existing SentencePiece model for a vocabulary of that name; its URI.  Raises BadInput."""
    body: Any = _import_vocabulary
    _check_specials(file)
    stage = replace(TRAIN_VOCABULARY, config=ImportConfig, body=body, needs={"ingest": all_units})
    return stage.run(ImportConfig(), [_ingest_file(store, file, f"vocabulary/{name}")], store, name)


def _ingest_file(store: ArtifactStore, file: Path, unit: str) -> str:
    if not file.is_file():
        raise BadConfig(f"{file}: no such file: wanted a SentencePiece model")
    config = IngestConfig(source=str(file.resolve()), sha256=digest_of(file))
    return stages.load("ingest").run(config, (), store, unit)


def _source(source: str, has_vocabulary: bool) -> IngestConfig:
    """Where the files are, which of them are taken, and what they must be: a commit of the hub, or digests."""
    if source.startswith(hub.SCHEME):
        found = hub.at_commit(source)
        return IngestConfig(source=found, names=_wanted(source, hub.files_of(found), has_vocabulary))
    folder = Path(source.removeprefix("file://")).resolve()
    if not folder.is_dir():
        raise BadConfig(f"{source}: no such folder: wanted a folder in XLM-R's format, or hf://NAME")
    names = _wanted(source, (path.name for path in folder.iterdir() if path.is_file()), has_vocabulary)
    digest = digest_of_listing({name: folder / name for name in names})
    return IngestConfig(source=str(folder), names=names, sha256=digest)


def _wanted(source: str, names: Iterable[str], has_vocabulary: bool) -> tuple[str, ...]:
    """The files of a checkpoint among a folder's.  Raises BadInput where one is missing."""
    there = sorted(names)
    kinds = ([name for name in there if pattern.fullmatch(name)] for pattern in WEIGHTS)
    weights = next(filter(None, kinds), [])
    missing = [] if CONFIG in there else [CONFIG]
    if not weights:
        missing.append("model.safetensors or pytorch_model.bin")
    if MODEL not in there and not has_vocabulary:
        missing.append(f"{MODEL} (or name one with --vocabulary)")
    if missing:
        raise BadInput(f"{source}: no {', no '.join(missing)}: wanted a checkpoint in XLM-R's format")
    return tuple(sorted([CONFIG, *weights, *([MODEL] if MODEL in there and not has_vocabulary else [])]))


def _import(config: ImportConfig, inputs: Inputs, draft: Draft) -> None:
    from training.export import export_hugging_face

    folder, vocabulary = draft.scratch("checkpoint"), draft.scratch("vocabulary")
    sources: dict[Path, str] = {}
    for manifest in inputs.of("ingest"):
        place = folder if manifest.unit.startswith("checkpoint/") else vocabulary
        sources[place] = str(manifest.config["source"])
        inputs.folder(manifest, place)
    given = next(vocabulary.iterdir(), folder / MODEL)
    target = draft.path(MODEL).parent
    try:
        _check_specials(given)
        export_hugging_face(folder, given, target)
    except (ValueError, BadInput) as error:
        said = str(error)
        for place, source in sources.items():  # the place is gone when the message is read
            said = said.replace(str(place), source)
        raise BadInput(said) from error
    draft.add({"files": sum(path.is_file() for path in target.rglob("*"))})


def _import_vocabulary(config: ImportConfig, inputs: Inputs, draft: Draft) -> None:
    [file] = inputs.paths(inputs.one("ingest")).values()
    draft.add({"pieces": _check_specials(file)})
    shutil.copyfile(file, draft.path(MODEL))


def _check_specials(file: Path) -> int:
    """The number of pieces.  Raises BadInput where the first ones are not those that XLM-R's ids are made from."""
    from training.pieces import read_pieces
    from training.vocabulary import Vocabulary

    try:
        Vocabulary.load(file)
    except ValueError as error:
        raise BadInput(f"{file}: wanted a SentencePiece model") from error
    pieces = read_pieces(file.read_bytes())
    found = tuple(piece.text for piece in pieces[:3])
    if found != SPECIALS:
        raise BadInput(f"{file.name}: pieces 0 to 2 are {' '.join(found)}: wanted {' '.join(SPECIALS)}, as "
                       "SentencePiece numbers them by default")  # fmt: skip
    return len(pieces)
