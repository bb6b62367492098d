"""`xlmr fertility`: how finely a vocabulary of the store cuts each language."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from pipeline.checkpoints import release_parts
from pipeline.current import current
from pipeline.errors import BadConfig
from pipeline.needs import first_part
from pipeline.release import texts_of_part
from pipeline.shared_settings import BUCKETS
from pipeline.stage import Inputs
from pipeline.stages.train_vocabulary import FERTILITY, MODEL
from pipeline.store import ArtifactStore


def fertility_of(store: ArtifactStore, name: str, release: str) -> dict[str, Any]:
    """language -> training.fertility's amounts: those measured when it was trained, or with `release` of the first
    lines of each part of it.  Raises MissingArtifact, BadConfig."""
    manifest = store.manifest(current(store, "vocabulary", name))
    if release:
        return _measured(store, store.open(manifest.artifact(MODEL)), release)
    if not any(artifact.name == FERTILITY for artifact in manifest.artifacts):
        raise BadConfig(f"vocabulary {name} was not measured when it was made: name a --release to measure it on")
    found: dict[str, Any] = json.loads(store.open(manifest.artifact(FERTILITY)).read_text(encoding="utf-8"))
    return found


def _measured(store: ArtifactStore, model: Any, release: str) -> dict[str, Any]:
    from training.fertility import count_tokens, fertility
    from training.vocabulary import HELD_OUT_LINES, Vocabulary

    vocabulary = Vocabulary.load(model)
    counts: dict[str, Counter[str]] = {}
    for key in release_parts(store, release, ())[1]:
        part = store.manifest(key)
        texts = texts_of_part(Inputs({"regroup": (part,)}, store), part, BUCKETS)
        lines = (line for text in texts for line in text.split("\n") if line.strip())
        counts.setdefault(first_part(part.unit), Counter()).update(
            count_tokens(islice(lines, HELD_OUT_LINES), vocabulary)
        )
    return {language: fertility(found) | {"held_out": False} for language, found in sorted(counts.items())}


def fertility_table(found: Mapping[str, Any]) -> Group:
    """At most 80 columns wide; the most finely cut language first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("language", no_wrap=True)
    for name in ("tokens/word", "tokens/character", "unknown, %", "lines"):
        table.add_column(name, justify="right", no_wrap=True)
    for language, row in sorted(found.items(), key=lambda item: -item[1]["tokens_per_character"]):
        table.add_row(language, f"{row['tokens_per_word']:.2f}", f"{row['tokens_per_character']:.3f}",
                      f"{100 * row['unknown_share']:.3f}", f"{row['lines']:,}")  # fmt: skip
    seen = [language for language, row in found.items() if not row["held_out"]]
    note = f"On lines that may have been trained on: {', '.join(seen)}." if seen else "On lines not trained on."
    return Group(table, note)
