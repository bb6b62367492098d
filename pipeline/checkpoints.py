"""Checkpoints that no pretraining of the store made: brought from outside, trimmed, extended.

Each leaves a manifest of the stage `export`, as a pretrained one does, so evaluation and pretraining can build on it;
its inputs tell what it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.current import current
from pipeline.draft import Draft
from pipeline.errors import BadConfig, BadInput, EmptyOutput
from pipeline.manifest import MANIFEST_NAME, parse_key
from pipeline.needs import first_part
from pipeline.release import characters_of, release_statistics, texts_of_part
from pipeline.shared_settings import Buckets, Seed
from pipeline.source_digest import digest_of
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.export import STAGE as EXPORT
from pipeline.stages.train_vocabulary import MODEL
from pipeline.store import ArtifactStore

EXTENSION = "extension.json"
OLD_LINES = 20_000  # of each old language, whose segmentation is compared


def checkpoint_key(store: ArtifactStore, name: str) -> str:
    """The manifest of a checkpoint: of its name, of a milestone NAME@UPDATE, or a URI.  Raises MissingArtifact."""
    if name.endswith(f"/{MANIFEST_NAME}"):
        key = store.key(name)
        try:
            stage = parse_key(key)[0]
        except ValueError as error:
            raise BadConfig(
                f"{name}: wanted a checkpoint's name, or .../export/NAME/FINGERPRINT/manifest.json"
            ) from error
        if stage != EXPORT.name:
            raise BadConfig(f"{name}: a manifest of {stage}: wanted a checkpoint, a manifest of export")
        return key
    return current(store, "checkpoint", name)


class TrimConfig(Buckets):
    languages: tuple[str, ...] = Field(default=(), description="languages of the release whose pieces are kept")
    text_digests: dict[str, str] = Field(default={}, description="file -> SHA-256 of text whose pieces are kept")
    min_count: int = Field(default=1, ge=1, description="least occurrences of a piece that is kept")


def trim_checkpoint(
    store: ArtifactStore, checkpoint: str, name: str, release: str, languages: Sequence[str], texts: Sequence[Path],
    min_count: int = 1,
) -> str:  # fmt: skip
    """Keep the pieces that these languages of the release and these files use; the URI of the new checkpoint."""
    if not languages and not texts:
        raise BadConfig("nothing says which pieces to keep: name --languages of a release, or --text files")
    if missing := [path for path in texts if not path.is_file()]:
        raise BadConfig(f"{missing[0]}: no such file: check the path")
    parts = release_parts(store, release, languages)[1] if languages else []
    names = [path.name for path in texts]
    digests = {
        name if names.count(name) == 1 else f"{name} {number}": digest_of(path)
        for number, (name, path) in enumerate(zip(names, texts, strict=True))
    }
    config = TrimConfig(languages=tuple(languages), text_digests=digests, min_count=min_count)
    stage = _made_by(TrimConfig, partial(_trim, texts))
    return stage.run(config, [checkpoint_key(store, checkpoint), *parts], store, name)


def _trim(files: Sequence[Path], config: TrimConfig, inputs: Inputs, draft: Draft) -> None:
    from training.trim import trim, used_pieces
    from training.vocabulary import Vocabulary

    folder = inputs.folder(inputs.one("export"), draft.scratch("old"))
    texts = _texts(inputs, config, inputs.manifests.get("regroup", ()))
    counts = used_pieces(texts, Vocabulary.load(folder / MODEL))
    for file in files:
        try:
            with file.open(encoding="utf-8") as lines:
                counts += used_pieces(lines, Vocabulary.load(folder / MODEL))
        except UnicodeDecodeError as error:
            raise BadInput(f"{file}: {error}: wanted text in UTF-8") from error
    if not counts:
        raise EmptyOutput("the text has no piece of the vocabulary: give more text")
    found = trim(folder, folder / MODEL, counts, draft.path(MODEL).parent, min_count=config.min_count)
    _tell_sizes(draft, asdict(found), found.ids)


class ExtendConfig(Buckets, Seed):
    languages: tuple[str, ...] = Field(min_length=1, description="languages of the release that are added")
    pieces: int = Field(
        default=10_000, ge=10, le=500_000, description="SentencePiece pieces found in the new languages' text"
    )
    sample_characters: int = Field(
        default=50_000_000, ge=10_000, description="characters of the new languages that the pieces are found in"
    )
    alpha: float = Field(default=0.3, gt=0, le=1, description="exponent of sampling among the new languages")
    penalty_nats: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="lowers the new pieces' scores: the higher it is, the less old text is cut anew",
    )


def extend_checkpoint(store: ArtifactStore, checkpoint: str, name: str, release: str, config: ExtendConfig) -> str:
    """Append pieces of new languages; the URI of the new checkpoint, whose new rows were not trained yet."""
    publish, parts = release_parts(store, release, ())
    there = {first_part(parse_key(key)[1]) for key in parts}
    _check_languages(config.languages, there, release)
    if not there - set(config.languages):
        raise BadConfig(f"release {release} has no other language than {', '.join(sorted(there))}: the old ones would "
                        "be forgotten; publish a release that has some of them too")  # fmt: skip
    stage = _made_by(ExtendConfig, _extend)
    return stage.run(config, [checkpoint_key(store, checkpoint), publish, *parts], store, name)


def _extend(config: ExtendConfig, inputs: Inputs, draft: Draft) -> None:
    from training.extend import extend, lines_cut_anew
    from training.vocabulary import Vocabulary

    folder = inputs.folder(inputs.one("export"), draft.scratch("old"))
    addition = _addition(config, inputs, draft)
    target = draft.path(MODEL).parent
    found = extend(folder, folder / MODEL, addition, target, penalty_nats=config.penalty_nats)
    before, after = Vocabulary.load(folder / MODEL), Vocabulary.load(target / MODEL)
    changed: dict[str, dict[str, int]] = {}
    for part in inputs.of("regroup"):
        language = first_part(part.unit)
        if language not in config.languages and changed.get(language, {}).get("lines", 0) < OLD_LINES:
            counts = lines_cut_anew(before, after, _first_lines(_texts(inputs, config, (part,)), OLD_LINES))
            so_far = changed.setdefault(language, {"lines": 0, "lines_cut_anew": 0})
            changed[language] = {name: so_far[name] + counts[name] for name in so_far}
    draft.write_json(EXTENSION, {"languages": list(config.languages), "old_languages": changed})
    _tell_sizes(draft, asdict(found), found.ids)
    draft.add({"old_lines": sum(row["lines"] for row in changed.values())})
    draft.add({"old_lines_cut_anew": sum(row["lines_cut_anew"] for row in changed.values())})


def _addition(config: ExtendConfig, inputs: Inputs, draft: Draft) -> Path:
    """A vocabulary of the new languages alone."""
    from training.vocabulary import sample_lines, sampling_fractions, train_on_samples

    characters = characters_of(release_statistics(inputs), config.buckets)
    new = {language: characters.get(language, 0) for language in config.languages}
    fractions = sampling_fractions(new, config.alpha, config.sample_characters)
    files = []
    for part in inputs.of("regroup"):
        language = first_part(part.unit)
        if language in fractions:
            files.append(draft.scratch("samples") / f"{part.unit.replace('/', '-')}.txt.gz")
            texts = _texts(inputs, config, (part,))
            sample_lines(texts, fractions[language], f"{config.seed}/{part.unit}", files[-1])
    addition = draft.scratch("addition") / MODEL
    train_on_samples(files, addition, size=config.pieces)
    return addition


def release_parts(store: ArtifactStore, release: str, languages: Sequence[str]) -> tuple[str, list[str]]:
    """Keys of a release's manifest and of its parts, of these languages alone (none: of all).  Raises BadConfig."""
    publish = current(store, "release", release)
    parts = [key for key in store.manifest(publish).inputs if key.startswith("regroup/")]
    there = {first_part(parse_key(key)[1]) for key in parts}
    _check_languages(languages, there, release)
    return publish, [key for key in parts if not languages or first_part(parse_key(key)[1]) in languages]


def _check_languages(languages: Iterable[str], there: Iterable[str], release: str) -> None:
    if missing := sorted(set(languages) - set(there)):
        raise BadConfig(f"release {release} has no {', '.join(missing)}: it has {', '.join(sorted(there))}")


def _texts(inputs: Inputs, config: Buckets, parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        yield from texts_of_part(inputs, part, config.buckets)


def _first_lines(texts: Iterable[str], lines: int) -> Iterator[str]:
    """Whole texts, until there are so many lines."""
    for text in texts:
        yield text
        lines -= text.count("\n") + 1
        if lines <= 0:
            return


def _tell_sizes(draft: Draft, found: dict[str, Any], ids: int) -> None:
    sizes = {name: found[name] for name in ("old_ids", "old_parameters", "parameters")}
    draft.add({"ids": ids} | sizes | {"kept_ids": sum(row >= 0 for row in found["rows"])})


def _made_by(config: type[StageConfig], body: Any) -> Stage:
    return replace(EXPORT, config=config, body=body, needs={}, optional=frozenset(), builds_on={})
